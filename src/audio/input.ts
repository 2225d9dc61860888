import type { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import type { Sound } from './pcm.js';

/**
 * Any input that can be spoken:
 * - a string: the path of a file, or an address that begins with `http://` or `https://`
 * - a `URL`: `http:`, `https:` or `file:`
 * - a Node stream, a web stream or any async iterable of bytes: an encoded sound, spoken while it arrives
 * - a `Uint8Array` (a `Buffer` is one): an encoded sound, whole
 * - a `Float32Array` (-1 to 1) or `Int16Array`: samples, with `sampleRateHz` (and `channels`) in the options
 * - a `Sound`
 */
export type SoundInput =
  | string
  | URL
  | Readable
  | ReadableStream<Uint8Array>
  | AsyncIterable<Uint8Array>
  | Uint8Array
  | Float32Array
  | Int16Array
  | Sound;

/** Maximum live sound that may come at once, in ms. */
export const MAX_BURST_MS = 5_000;

/** Options for what the bytes do not tell. */
export interface SoundInputOptions {
  /** Name in messages; default: the file's name or the kind of input. */
  readonly label?: string | undefined;
  /** Format of headerless data: `encoding:rate:channels`, such as `s16le:24000:1`. */
  readonly format?: string | undefined;
  /** Sample rate of a `Float32Array` or `Int16Array`, in Hz. */
  readonly sampleRateHz?: number;
  /** Interleaved channels of a `Float32Array` or `Int16Array`; default 1. */
  readonly channels?: number;
  /**
   * Maximum live sound that may come at once, in ms, 0 to 5,000; default 0. For a sound that its sender holds
   * back at times, such as the pre-roll of a gate; without it the excess is dropped.
   */
  readonly burstMs?: number;
  /** False refuses an address of this machine or its private network, for requests of remote callers. */
  readonly allowPrivate?: boolean;
}

/** Makes a sound of any input. @throws BridgeError when the input cannot be spoken */
export type OpenSound = (input: SoundInput, options: SoundInputOptions) => Sound;
