import { BridgeError, type ErrorCode } from '../base/errors.js';

/** Limits of everything that clients can open or send. */
export interface ServiceLimits {
  /** Maximum number of open uploads. */
  readonly maxUploads: number;
  /** Maximum number of streams (WebSockets of clients). */
  readonly maxStreams: number;
  /** Maximum number of commands waiting for an avatar. */
  readonly maxWaits: number;
  /** Maximum message of a stream, in bytes. */
  readonly maxStreamMessageBytes: number;
  /** Queued sound of a stream, in bytes, at which its client is asked to wait. */
  readonly streamPauseBytes: number;
  /** Queued sound of a stream, in bytes, at which it is no longer read, so that TCP slows its client. */
  readonly streamShutBytes: number;
  /** Maximum number of followers of events. */
  readonly maxFollowers: number;
  /** Maximum bytes waiting for a follower that does not read; above it the follower is dropped. */
  readonly maxFollowerBytes: number;
  /** Number of recent events stored for followers that reconnect. */
  readonly keptEvents: number;
  /** Number of ended speeches that can still be queried. */
  readonly keptSpeeches: number;
  /** Bytes of an upload read ahead of the speech; then the uploader waits. */
  readonly uploadAheadBytes: number;
  /**
   * Bytes read ahead for a client that waits for its speech: only when everything it sent was read can its disconnection be
   * noticed, and its speech stopped.
   */
  readonly uploadFarAheadBytes: number;
  /** Maximum number of uploads read so far ahead. */
  readonly maxFarUploads: number;
  /** Maximum silence of an upload while its speech waits for more, in ms. */
  readonly uploadIdleMs: number;
  /** Maximum JSON body, in bytes. */
  readonly maxJsonBytes: number;
  /** Maximum time for receiving a JSON body, in ms. */
  readonly jsonBodyMs: number;
  /** Maximum number of agents with metrics under their own name; later ones share one name. */
  readonly maxMeteredAgents: number;
  /** Heartbeat interval of a silent event stream, in ms. */
  readonly heartbeatMs: number;
}

/** Default limits. */
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
  // A thousand commands of maximum length, escaped.
  maxJsonBytes: 4 * 1024 * 1024,
  jsonBodyMs: 30_000,
  maxMeteredAgents: 250,
  heartbeatMs: 15_000,
};

/** A limited number of slots; a caller that finds none free is refused. */
export class Slots {
  readonly #max: number;
  readonly #code: ErrorCode;
  readonly #what: string;
  #taken = 0;

  /** @param what plural of the things that take a slot, for the error */
  constructor(max: number, code: ErrorCode, what: string) {
    this.#max = max;
    this.#code = code;
    this.#what = what;
  }

  get taken(): number {
    return this.#taken;
  }

  /**
   * Takes a slot.
   * @returns releases it; a second call does nothing
   * @throws BridgeError of the given code when no slot is free
   */
  take(): () => void {
    const leave = this.tryTake();
    if (leave) return leave;
    throw new BridgeError(this.#code, `${this.#max} ${this.#what} are open already, which is the limit.`);
  }

  /** Takes a slot if one is free. @returns releases it; undefined when none is free */
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
