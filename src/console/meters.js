import { byId, setAttribute, setText } from './dom.js';
import { drawBars, drawPlot } from './draw.js';
import { t } from './i18n.js';
import { currentSpeech, positionNow } from './model.js';
import { Ring } from './ring.js';

/** @typedef {import('./model.js').AgentView} AgentView */

/** Interval of the readings, in ms. */
export const EVERY_MS = 100;
const SPAN_MS = 60_000;
const CAPACITY = SPAN_MS / EVERY_MS;
const SILENCE_DBFS = -48;

/** Plots of an agent over the last minute: level, unplayed audio, round trip, gaps. */
export class Meters {
  /** @type {Ring<number>} */
  #level = new Ring(CAPACITY);
  /** @type {Ring<number>} */
  #held = new Ring(CAPACITY);
  /** @type {Ring<number>} */
  #lead = new Ring(CAPACITY);
  /** @type {Ring<number>} */
  #trip = new Ring(CAPACITY);
  #agent = '';

  /**
   * Takes a reading.
   * @param {AgentView | undefined} agent
   * @param {number} nowMs
   */
  read(agent, nowMs) {
    if (agent?.name !== this.#agent) {
      for (const ring of [this.#level, this.#held, this.#lead, this.#trip]) ring.clear();
      this.#agent = agent?.name ?? '';
    }
    const there = agent !== undefined && agent.state !== 'absent';
    this.#level.push(there ? levelDbfs(agent, nowMs) : NaN);
    this.#held.push(there ? agent.heldMs : NaN);
    this.#lead.push(there ? agent.leadMs : NaN);
    this.#trip.push(there && agent.roundTrip ? agent.roundTrip.lastMs : NaN);
  }

  /**
   * @param {AgentView | undefined} agent
   * @param {number} nowMs
   */
  draw(agent, nowMs) {
    const last = (/** @type {Ring<number>} */ ring) => ring.at(ring.length - 1) ?? NaN;
    const show = (/** @type {string} */ id, /** @type {string} */ text, /** @type {string} */ name) => {
      setText(byId(`${id}-value`), text);
      setAttribute(byId(`${id}-plot`), 'aria-label', `${t(name)}, ${t('lastMinute')}: ${text}`);
      return /** @type {HTMLCanvasElement} */ (byId(`${id}-plot`));
    };
    const level = last(this.#level);
    drawPlot(
      show('level', Number.isNaN(level) || level <= SILENCE_DBFS ? '–' : `${level.toFixed(0)} dB`, 'level'),
      [{ values: this.#level, count: this.#level.length, colour: 'accent', fill: true }],
      { capacity: CAPACITY, low: SILENCE_DBFS, high: 0 },
    );
    const lead = last(this.#lead);
    const heldText = Number.isNaN(lead) ? '–' : `${last(this.#held).toFixed(0)} / ${lead.toFixed(0)} ms`;
    drawPlot(
      show('held', heldText, 'held'),
      [
        { values: this.#held, count: this.#held.length, colour: 'accent', fill: true },
        { values: this.#lead, count: this.#lead.length, colour: 'muted' },
      ],
      { capacity: CAPACITY, low: 0, high: Math.max(200, largest(this.#lead) * 1.5, largest(this.#held)) },
    );
    const trip = last(this.#trip);
    drawPlot(
      show('trip', Number.isNaN(trip) ? '–' : `${trip.toFixed(1)} ms`, 'roundTrip'),
      [{ values: this.#trip, count: this.#trip.length, colour: 'good' }],
      { capacity: CAPACITY, low: 0, high: Math.max(5, largest(this.#trip) * 1.2) },
    );
    const gaps = (agent?.gaps ?? []).filter(({ atMs }) => atMs > nowMs - SPAN_MS);
    const totalMs = gaps.reduce((sum, { lengthMs }) => sum + lengthMs, 0);
    drawBars(
      show('gaps', gaps.length === 0 ? '0' : `${gaps.length} · ${Math.round(totalMs)} ms`, 'gaps'),
      gaps.map(({ atMs, lengthMs }) => ({ ageMs: nowMs - atMs, value: lengthMs })),
      { spanMs: SPAN_MS, high: Math.max(100, ...gaps.map(({ lengthMs }) => lengthMs)) },
    );
  }
}

/** @param {Ring<number>} ring */
function largest(ring) {
  let result = 0;
  for (const value of ring) if (value > result) result = value;
  return result;
}

/**
 * Returns the current level.
 * @param {AgentView} agent
 * @param {number} nowMs
 */
function levelDbfs(agent, nowMs) {
  const speech = currentSpeech(agent);
  if (!speech || speech.state === 'paused') return SILENCE_DBFS;
  const positionMs = positionNow(speech, nowMs);
  const peak = speech.outline.loudest(positionMs - EVERY_MS, positionMs);
  return peak === 0 ? SILENCE_DBFS : Math.max(SILENCE_DBFS, 20 * Math.log10(peak / 255));
}
