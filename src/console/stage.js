import { byId, clockText, setAttribute, setText } from './dom.js';
import { drawWave } from './draw.js';
import { t } from './i18n.js';
import { currentSpeech, positionNow, stateWord } from './model.js';

/** @typedef {import('./model.js').AgentView} AgentView */

/** Visible part of an endless sound, in ms. */
const WINDOW_MS = 20_000;

/** View of the selected agent and its current speech. */
export class Stage {
  #canvas = /** @type {HTMLCanvasElement} */ (byId('wave-canvas'));
  #volume = /** @type {HTMLInputElement} */ (byId('volume'));
  #drawn = '';

  /**
   * @param {{ onVolume: (gainDb: number) => void }} options
   */
  constructor({ onVolume }) {
    const volume = this.#volume;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let later;
    volume.addEventListener('input', () => {
      this.#showVolume(Number(volume.value));
      // A slider reports every step while it is dragged; only the last one counts.
      later ??= setTimeout(() => {
        later = undefined;
        onVolume(Number(volume.value));
      }, 80);
    });
    volume.addEventListener('dblclick', () => {
      volume.value = '0';
      volume.dispatchEvent(new Event('input'));
    });
  }

  /** Redraws the wave after a change of the colours. */
  repaint() {
    this.#drawn = '';
  }

  /**
   * Updates everything except the animated parts.
   * @param {AgentView | undefined} agent
   * @param {string} mdf lines of a content file that connect an avatar to this service
   * @param {boolean} known false while the service is not reachable
   */
  render(agent, mdf, known) {
    const there = agent !== undefined && agent.state !== 'absent';
    setText(byId('stage-name'), agent?.name ?? t('noAvatar'));
    const word = agent ? stateWord(agent) : 'absent';
    const chip = byId('stage-state');
    chip.hidden = agent === undefined;
    setText(chip, t(known ? word : 'linkWaiting'));
    setAttribute(chip, 'class', known ? `chip ${word}` : 'chip');
    const facts = there ? [agent.remote, agent.model && t('factModel', { model: agent.model })] : [];
    setText(byId('stage-facts'), facts.filter(Boolean).join(' · '));

    byId('welcome').hidden = there;
    setText(byId('welcome-text'), t(agent ? 'welcomeGone' : 'welcome'));
    setText(byId('welcome-lines'), mdf);
    byId('now').hidden = !there && (agent?.speeches.length ?? 0) === 0;

    const speech = currentSpeech(agent);
    setText(byId('speech-label'), speech?.label ?? t('silent'));
    byId('speech-label').classList.toggle('silent', !speech);
    byId('pause').classList.toggle('paused', agent?.paused ?? false);
    setAttribute(byId('pause'), 'aria-pressed', String(agent?.paused ?? false));
    setText(byId('pause-text'), t(agent?.paused ? 'resume' : 'pause'));
    /** @type {HTMLButtonElement} */ (byId('pause')).disabled = agent === undefined;
    /** @type {HTMLButtonElement} */ (byId('skip')).disabled = speech === undefined;
    this.#volume.disabled = agent === undefined;
    if (agent && document.activeElement !== this.#volume) this.#showVolume(agent.gainDb);
  }

  /**
   * Updates the animated parts: wave and position.
   * @param {AgentView | undefined} agent
   * @param {number} nowMs
   */
  move(agent, nowMs) {
    const speech = currentSpeech(agent);
    const positionMs = speech ? positionNow(speech, nowMs) : 0;
    const durationMs = speech?.durationMs ?? null;
    setText(byId('speech-position'), speech ? clockText(positionMs) : '–');
    setText(byId('speech-duration'), durationMs === null ? '' : ` / ${clockText(durationMs)}`);
    const wave = byId('wave');
    if (durationMs === null) wave.removeAttribute('aria-valuenow');
    else setAttribute(wave, 'aria-valuenow', String(Math.round((positionMs / durationMs) * 100)));
    setAttribute(wave, 'aria-valuetext', speech ? `${speech.label} ${clockText(positionMs)}` : t('silent'));

    const { clientWidth, clientHeight } = this.#canvas;
    const endMs = speech?.outline.endMs ?? 0;
    const ahead = speech?.ahead;
    const state = [
      speech?.id,
      Math.round(positionMs / 10),
      endMs,
      ahead?.endMs,
      durationMs,
      clientWidth,
      clientHeight,
    ].join();
    if (state === this.#drawn) return;
    this.#drawn = state;
    const lengthMs = durationMs ?? ahead?.endMs ?? null;
    const toMs = lengthMs ?? Math.max(WINDOW_MS, endMs);
    drawWave(this.#canvas, speech, { fromMs: lengthMs === null ? toMs - WINDOW_MS : 0, toMs, positionMs });
  }

  /** @param {number} gainDb */
  #showVolume(gainDb) {
    this.#volume.value = String(gainDb);
    setText(byId('volume-value'), `${gainDb > 0 ? '+' : ''}${gainDb} dB`);
    setAttribute(this.#volume, 'aria-valuetext', `${gainDb} dB`);
  }
}
