import { Outline } from './outline.js';

/** Maximum time by which the play position is extrapolated, in ms. */
const CARRY_MS = 250;

/**
 * @typedef {object} SpeechView
 * @property {string} id
 * @property {string} label
 * @property {string} state
 * @property {number} positionMs
 * @property {number | null} durationMs
 * @property {number} positionAtMs time of the position, by the page's clock
 * @property {Outline} outline outline of the part that was sent
 * @property {Outline | undefined} ahead outline of the whole sound, where the page knows it in advance
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
 * @property {SpeechView[]} speeches in playing order
 * @property {{ detail: string, advice: string, code: string } | null} lost reason of the loss, when it was seen
 * @property {{ detail: string, advice: string, code: string } | null} notReady
 * @property {{ atMs: number, lengthMs: number }[]} gaps gaps of the last minute
 */

const GAPS_KEPT_MS = 60_000;

/** State of the service as the page knows it: a snapshot, with all later events applied. */
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
        // Its model may have been deleted.
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
   * Sorts an agent's speeches in the order of an answer. Only the order is taken: newer events may have arrived before the
   * answer.
   * @param {any} json an agent in the API's form
   */
  arrange({ name, speeches }) {
    const places = new Map(speeches.map((/** @type {any} */ { id }, /** @type {number} */ at) => [id, at]));
    /** @param {SpeechView} speech */
    const place = ({ id }) => places.get(id) ?? places.size;
    this.agents.get(name)?.speeches.sort((one, other) => place(one) - place(other));
  }

  /**
   * Stores the outline of a whole speech before it is sent.
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
      // It was lost while the page was not connected; it is shown as absent until another one is selected.
      Object.assign(agent, { state: 'absent', speaking: false, heldMs: 0, remote: null, speeches: [] });
    }
    for (const json of agents) {
      this.#whole(json, nowMs);
      if (json.state !== 'absent') this.#agent(json.name).lost = null;
    }
  }

  /**
   * @param {any} json an agent of a snapshot
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
 * Returns the speech that plays, prepares or is paused, which the page shows as current.
 * @param {AgentView | undefined} agent
 */
export function currentSpeech(agent) {
  return agent?.speeches.find(({ state }) => state !== 'queued');
}

/**
 * Returns the current position of a speech, extrapolated from the last one while it plays.
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
 * Returns an agent's state as one word.
 * @param {AgentView} agent
 * @returns {'absent' | 'connected' | 'stalled' | 'paused' | 'speaking' | 'ready'}
 */
export function stateWord(agent) {
  if (agent.state !== 'ready') return agent.state;
  if (agent.stalled) return 'stalled';
  if (agent.paused) return 'paused';
  return agent.speaking ? 'speaking' : 'ready';
}
