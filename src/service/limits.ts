import { BridgeError, type ErrorCode } from '../base/errors.js';

/** The bounds of the service: everything that others can open has one. */
export interface ServiceLimits {
  /** Uploads that may be under way at once. */
  readonly maxUploads: number;
  /** Streams (WebSockets of clients) at once. */
  readonly maxStreams: number;
  /** Commands that wait for an avatar at once. */
  readonly maxWaits: number;
  /** The longest message of a stream, in bytes. */
  readonly maxStreamMessageBytes: number;
  /** Sound of a stream that waits to be spoken, in bytes: from here on its client is asked to wait. */
  readonly streamPauseBytes: number;
  /** From here on a stream is not read any more, so that TCP holds its client back. */
  readonly streamShutBytes: number;
  /** Followers of events at once. */
  readonly maxFollowers: number;
  /** Bytes that may wait for a follower that does not read; past them it is dropped. */
  readonly maxFollowerBytes: number;
  /** Recent events that a follower can ask for when it comes back. */
  readonly keptEvents: number;
  /** Speeches that have ended and can still be asked for. */
  readonly keptSpeeches: number;
  /** Bytes of an upload read ahead of the speech; past them the uploader waits. */
  readonly uploadAheadBytes: number;
  /**
   * The same for a client that waits for its speech: only where all it sent was read is it seen going away, and its speech
   * stopped.
   */
  readonly uploadFarAheadBytes: number;
  /** Uploads that may be read so far ahead at once. */
  readonly maxFarUploads: number;
  /** How long an upload may be silent while its speech waits for more, in ms. */
  readonly uploadIdleMs: number;
  /** The largest JSON body, in bytes. */
  readonly maxJsonBytes: number;
  /** How long a JSON body may take to come, in ms. */
  readonly jsonBodyMs: number;
  /** Agents that have metrics under their own name; those that connect later share one. */
  readonly maxMeteredAgents: number;
  /** How often a silent stream of events shows that it lives, in ms. */
  readonly heartbeatMs: number;
}

/** The bounds unless told otherwise. */
export const DEFAULT_LIMITS: ServiceLimits = {
  maxUploads: 256,
  maxStreams: 256,
  maxWaits: 256,
  maxStreamMessageBytes: 128 * 1024,
  streamPauseBytes: 128 * 1024,
  streamShutBytes: 512 * 1024,
  maxFollowers: 256,
  maxFollowerBytes: 1024 * 1024,
  keptEvents: 1000,
  keptSpeeches: 1000,
  uploadAheadBytes: 256 * 1024,
  uploadFarAheadBytes: 8 * 1024 * 1024,
  maxFarUploads: 8,
  uploadIdleMs: 600_000,
  // A thousand commands of the longest kind, escaped.
  maxJsonBytes: 4 * 1024 * 1024,
  jsonBodyMs: 30_000,
  maxMeteredAgents: 250,
  heartbeatMs: 15_000,
};

/** A bounded number of slots: whoever comes when all are taken is refused. */
export class Slots {
  readonly #max: number;
  readonly #code: ErrorCode;
  readonly #what: string;
  #taken = 0;

  /** @param what the plural of what takes a place, for the refusal */
  constructor(max: number, code: ErrorCode, what: string) {
    this.#max = max;
    this.#code = code;
    this.#what = what;
  }

  get taken(): number {
    return this.#taken;
  }

  /**
   * Takes a place.
   * @returns gives it back; a second call does nothing
   * @throws BridgeError of the given code when there is none
   */
  take(): () => void {
    const leave = this.tryTake();
    if (leave) return leave;
    throw new BridgeError(this.#code, `${this.#max} ${this.#what} are open already, which is the limit.`);
  }

  /** The same for who can do without. @returns gives it back; nothing when there is none */
  tryTake(): (() => void) | undefined {
    if (this.#taken >= this.#max) return undefined;
    this.#taken += 1;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#taken -= 1;
    };
  }
}
