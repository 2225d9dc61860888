import { Problem, problemOf } from './api.js';

/** Waits between attempts, in ms; the last one repeats. */
const BACKOFF_MS = [500, 1000, 2000, 4000, 8000];
/** A page nobody sees lets its connection go after this long, in ms: browsers allow few to one service. */
const ASLEEP_AFTER_MS = 60_000;
/** The service shows every 15 s that it lives; silent for so long, in ms, it is gone without a word. */
const SILENT_MS = 45_000;

/**
 * @typedef {{ state: 'connecting' | 'live' | 'asleep' }
 *   | { state: 'waiting', problem: Problem, closed: boolean, retryAtMs: number }} Link
 */

/**
 * Follows everything that happens in the service, for as long as the page is there, over every interruption. Not an
 * EventSource: that one gives up for good at the first refusal and does not say why.
 */
export class EventFeed {
  #onEvent;
  #onLink;
  /** @type {AbortController | undefined} */
  #attempt;
  /** @type {string | undefined} */
  #lastId;
  #failures = 0;
  /** The service has said that it ends. */
  #closed = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #sleep;
  /** May the page fall asleep? Not while its microphone is on. */
  mayRest = () => true;

  /**
   * @param {{ onEvent: (event: any) => void, onLink: (link: Link) => void }} options
   */
  constructor({ onEvent, onLink }) {
    this.#onEvent = onEvent;
    this.#onLink = onLink;
    document.addEventListener('visibilitychange', () => this.#onVisibility());
  }

  /** Connects now, whatever was waited for. */
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
    // Spread, so that many pages do not come back in one moment.
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

/** Reads server-sent events (HTML standard, 9.2.6) from pieces of text, however they are cut. */
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
