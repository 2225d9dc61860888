import { Problem, problemOf } from './api.js';

/** Delays between connection attempts, in ms; the last one repeats. */
const BACKOFF_MS = [500, 1000, 2000, 4000, 8000];
/** Time after which a hidden page closes its connection, in ms: browsers allow only a few per service. */
const ASLEEP_AFTER_MS = 60_000;
/** Silence after which the connection counts as lost, in ms. The service sends a heartbeat every 15 s. */
const SILENT_MS = 45_000;

/**
 * @typedef {{ state: 'connecting' | 'live' | 'asleep' }
 *   | { state: 'waiting', problem: Problem, closed: boolean, retryAtMs: number }} Link
 */

/**
 * Follows all events of the service while the page is open, and reconnects after every interruption. Not an EventSource,
 * which gives up after the first refusal and does not report the reason.
 */
export class EventFeed {
  #onEvent;
  #onLink;
  /** @type {AbortController | undefined} */
  #attempt;
  /** @type {string | undefined} */
  #lastId;
  #failures = 0;
  /** True when the service has announced its end. */
  #closed = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #sleep;
  /** Returns whether the page may close its connection while hidden. It must not while its microphone is on. */
  mayRest = () => true;

  /**
   * @param {{ onEvent: (event: any) => void, onLink: (link: Link) => void }} options
   */
  constructor({ onEvent, onLink }) {
    this.#onEvent = onEvent;
    this.#onLink = onLink;
    document.addEventListener('visibilitychange', () => this.#onVisibility());
  }

  /** Connects now, without waiting for the next attempt. */
  connect() {
    clearTimeout(this.#retry);
    this.#attempt?.abort();
    const attempt = (this.#attempt = new AbortController());
    this.#onLink({ state: 'connecting' });
    this.#follow(attempt.signal).then(
      () => this.#lost(attempt, new Problem(0, 'ENDED', '')),
      (error) =>
        this.#lost(
          attempt,
          error instanceof Problem ? error : new Problem(0, 'NO_ANSWER', String(error?.message ?? error)),
        ),
    );
  }

  /** @param {AbortSignal} signal */
  async #follow(signal) {
    /** @type {Record<string, string>} */
    const headers = { accept: 'text/event-stream' };
    if (this.#lastId !== undefined) headers['last-event-id'] = this.#lastId;
    const response = await fetch('/api/events?meters', { headers, signal, cache: 'no-store' });
    if (!response.ok) throw await problemOf(response);
    if (!response.body) throw new Problem(response.status, 'UNKNOWN', 'The answer has no body.');
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const parser = new EventParser();
    for (;;) {
      const silence = setTimeout(() => void reader.cancel(), SILENT_MS);
      const { done, value } = await reader.read().finally(() => clearTimeout(silence));
      if (done) return;
      for (const { id, data } of parser.push(value)) {
        if (signal.aborted) return;
        if (id !== undefined) this.#lastId = id;
        this.#take(JSON.parse(data));
      }
    }
  }

  /** @param {any} event */
  #take(event) {
    if (event.type === 'closing') this.#closed = true;
    if (event.type === 'snapshot') {
      this.#failures = 0;
      this.#closed = false;
      this.#onLink({ state: 'live' });
    }
    this.#onEvent(event);
  }

  /**
   * @param {AbortController} attempt
   * @param {Problem} problem
   */
  #lost(attempt, problem) {
    if (attempt !== this.#attempt || attempt.signal.aborted) return;
    const base = BACKOFF_MS[Math.min(this.#failures, BACKOFF_MS.length - 1)] ?? 0;
    this.#failures += 1;
    // Spread the attempts, so that many pages do not reconnect at the same moment.
    const waitMs = base * (0.8 + Math.random() * 0.4);
    this.#onLink({
      state: 'waiting',
      problem,
      closed: this.#closed,
      retryAtMs: performance.now() + waitMs,
    });
    this.#retry = setTimeout(() => this.connect(), waitMs);
  }

  #onVisibility() {
    clearTimeout(this.#sleep);
    if (document.visibilityState === 'hidden') {
      this.#sleep = setTimeout(() => this.#rest(), ASLEEP_AFTER_MS);
    } else if (!this.#attempt) this.connect();
  }

  #rest() {
    if (!this.mayRest()) {
      this.#sleep = setTimeout(() => this.#rest(), ASLEEP_AFTER_MS);
      return;
    }
    clearTimeout(this.#retry);
    this.#attempt?.abort();
    this.#attempt = undefined;
    this.#onLink({ state: 'asleep' });
  }
}

/** Parses server-sent events (HTML standard, 9.2.6) from text chunks of any size. */
export class EventParser {
  #rest = '';

  /**
   * @param {string} text
   * @returns {{ id: string | undefined, data: string }[]}
   */
  push(text) {
    const blocks = (this.#rest + text).split('\n\n');
    this.#rest = blocks.pop() ?? '';
    const events = [];
    for (const block of blocks) {
      /** @type {string | undefined} */
      let id;
      /** @type {string[]} */
      const data = [];
      for (const line of block.split('\n')) {
        const colon = line.indexOf(':');
        const value = line.slice(colon + 1).replace(/^ /, '');
        if (line.startsWith('id:')) id = value;
        else if (line.startsWith('data:')) data.push(value);
      }
      if (data.length > 0) events.push({ id, data: data.join('\n') });
    }
    return events;
  }
}
