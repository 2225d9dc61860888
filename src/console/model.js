import { Outline } from './outline.js';

/** How far the play position is carried on by itself until the next one comes, in ms. */
const CARRY_MS = 250;

/**
 * @typedef {object} SpeechView
 * @property {string} id
 * @property {string} label
 * @property {string} state
 * @property {number} positionMs
 * @property {number | null} durationMs
 * @property {number} positionAtMs when the position was told, by the page's clock
 * @property {Outline} outline as far as it was sent
 * @property {Outline | undefined} ahead of all of it, where the page knows it before it is sent
 */

/**
 * @typedef {object} AgentView
 * @property {string} name
 * @property {'absent' | 'connected' | 'ready'} state
 * @property {string} model
 * @property {string | null} remote
 * @property {boolean} speaking
 * @property {boolean} paused
 * @property {boolean} stalled
 * @property {number} heldMs
 * @property {number} leadMs
 * @property {number} gainDb
 * @property {{ lastMs: number, medianMs: number, jitterMs: number } | null} roundTrip
 * @property {SpeechView[]} speeches in the order in which they are or will be heard
 * @property {{ detail: string, advice: string, code: string } | null} lost why it is gone, when it was seen going
 * @property {{ detail: string, advice: string, code: string } | null} notReady
 * @property {{ atMs: number, lengthMs: number }[]} gaps those of the last minute
 */

const GAPS_KEPT_MS = 60_000;

/** What the page knows of the service: a snapshot, and every event since applied to it. */
export class Model {
  /** @type {Map<string, AgentView>} */
  agents = new Map();

  /**
   * @param {any} event as the service sent it
   * @param {number} nowMs by the page's clock
   */
  apply(event, nowMs) {
    if (event.type === 'snapshot') {
      this.#snapshot(event.agents, nowMs);
      return;
    }
    if (typeof event.agent !== 'string') return;
    const agent = this.#agent(event.agent);
    switch (event.type) {
      case 'connected':
        Object.assign(agent, { state: 'connected', remote: event.remote, lost: null, stalled: false });
        break;
      case 'ready':
        Object.assign(agent, { state: 'ready', model: event.model, notReady: null });
        break;
      case 'not-ready':
        agent.notReady = event.error;
        // Its model may have gone.
        if (agent.state === 'ready') agent.state = 'connected';
        break;
      case 'lost':
        Object.assign(agent, { state: 'absent', lost: event.error, notReady: null, stalled: false });
        Object.assign(agent, { speaking: false, heldMs: 0, remote: null });
        break;
      case 'stalled':
        agent.stalled = event.stalled;
        break;
      case 'gap':
        agent.gaps.push({ atMs: nowMs, lengthMs: event.lengthMs });
        agent.gaps = agent.gaps.filter(({ atMs }) => atMs > nowMs - GAPS_KEPT_MS).slice(-200);
        break;
      case 'vitals': {
        const { speaking, paused, heldMs, leadMs, gainDb, roundTrip } = event;
        Object.assign(agent, { speaking, paused, heldMs, leadMs, gainDb, roundTrip });
        break;
      }
      default:
        if (typeof event.speech === 'string') this.#speech(agent, event, nowMs);
    }
  }

  /**
   * Puts an agent's speeches in the order of an answer. What there is and how it stands is left to the events: an answer
   * may come after events that are newer than it.
   * @param {any} json an agent as the API answers it
   */
  arrange({ name, speeches }) {
    const places = new Map(speeches.map((/** @type {any} */ { id }, /** @type {number} */ at) => [id, at]));
    /** @param {SpeechView} speech */
    const place = ({ id }) => places.get(id) ?? places.size;
    this.agents.get(name)?.speeches.sort((one, other) => place(one) - place(other));
  }

  /**
   * The outline of a whole speech is known before it is sent.
   * @param {string} agent
   * @param {string} id
   * @param {Outline} outline
   */
  foresee(agent, id, outline) {
    const speech = this.#agent(agent).speeches.find((other) => other.id === id);
    if (speech) speech.ahead = outline;
  }

  /** @param {string} name */
  forget(name) {
    this.agents.delete(name);
  }

  /**
   * @param {any[]} agents
   * @param {number} nowMs
   */
  #snapshot(agents, nowMs) {
    const names = new Set(agents.map(({ name }) => name));
    for (const [name, agent] of this.agents) {
      if (names.has(name)) continue;
      // It went while nobody listened; it is shown as gone until the page turns to another.
      Object.assign(agent, { state: 'absent', speaking: false, heldMs: 0, remote: null, speeches: [] });
    }
    for (const json of agents) {
      this.#whole(json, nowMs);
      if (json.state !== 'absent') this.#agent(json.name).lost = null;
    }
  }

  /**
   * @param {any} json an agent as the snapshot tells it
   * @param {number} nowMs
   */
  #whole(json, nowMs) {
    const { name, speeches, ...facts } = json;
    const agent = this.#agent(name);
    const before = new Map(agent.speeches.map((speech) => [speech.id, speech]));
    Object.assign(agent, facts);
    agent.speeches = speeches.map((/** @type {any} */ speech) => {
      const known = before.get(speech.id);
      return {
        ...speech,
        positionMs: Math.max(speech.positionMs, known?.positionMs ?? 0),
        positionAtMs: known?.positionAtMs ?? nowMs,
        outline: known?.outline ?? new Outline(),
        ahead: known?.ahead,
      };
    });
  }

  /**
   * @param {AgentView} agent
   * @param {any} event
   * @param {number} nowMs
   */
  #speech(agent, event, nowMs) {
    if (event.type === 'ended') {
      agent.speeches = agent.speeches.filter(({ id }) => id !== event.speech);
      if (agent.speeches.length === 0) agent.speaking = false;
      return;
    }
    let speech = agent.speeches.find(({ id }) => id === event.speech);
    if (!speech) {
      if (event.type !== 'accepted') return;
      speech = {
        id: event.speech,
        label: event.label,
        state: 'queued',
        positionMs: 0,
        durationMs: null,
        positionAtMs: nowMs,
        outline: new Outline(),
        ahead: undefined,
      };
      agent.speeches.push(speech);
    }
    if (event.type === 'state') {
      speech.state = event.state;
      speech.positionAtMs = nowMs;
      if (event.state === 'speaking') agent.speaking = true;
    } else if (event.type === 'info') {
      speech.durationMs = event.durationMs ?? speech.durationMs;
    } else if (event.type === 'position') {
      speech.positionMs = event.positionMs;
      speech.positionAtMs = nowMs;
      speech.durationMs = event.durationMs ?? speech.durationMs;
      agent.heldMs = event.heldMs;
    } else if (event.type === 'peaks') {
      speech.outline.add(event.fromMs, event.stepMs, event.peaks);
    }
  }

  /**
   * @param {string} name
   * @returns {AgentView}
   */
  #agent(name) {
    let agent = this.agents.get(name);
    if (!agent) {
      agent = {
        name,
        state: 'absent',
        model: '',
        remote: null,
        speaking: false,
        paused: false,
        stalled: false,
        heldMs: 0,
        leadMs: 0,
        gainDb: 0,
        roundTrip: null,
        speeches: [],
        lost: null,
        notReady: null,
        gaps: [],
      };
      this.agents.set(name, agent);
    }
    return agent;
  }
}

/**
 * The speech that sounds, prepares or is paused: what the page shows as now.
 * @param {AgentView | undefined} agent
 */
export function currentSpeech(agent) {
  return agent?.speeches.find(({ state }) => state !== 'queued');
}

/**
 * Where a speech is by now: the last position, carried on as long as it moves.
 * @param {SpeechView} speech
 * @param {number} nowMs
 */
export function positionNow(speech, nowMs) {
  const { positionMs, positionAtMs, state, durationMs, outline } = speech;
  if (state !== 'speaking' && state !== 'draining') return positionMs;
  if (positionMs === 0) return 0;
  const carried = positionMs + Math.min(CARRY_MS, nowMs - positionAtMs);
  return Math.min(carried, durationMs ?? Infinity, Math.max(positionMs, outline.endMs));
}

/**
 * The one word for an agent's state.
 * @param {AgentView} agent
 * @returns {'absent' | 'connected' | 'stalled' | 'paused' | 'speaking' | 'ready'}
 */
export function stateWord(agent) {
  if (agent.state !== 'ready') return agent.state;
  if (agent.stalled) return 'stalled';
  if (agent.paused) return 'paused';
  return agent.speaking ? 'speaking' : 'ready';
}
