import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { abortable } from '../base/abortable.js';
import { BridgeError, toBridgeError } from '../base/errors.js';
import type { EncodedChunk, PcmBlock, Sound } from '../audio/pcm.js';
import { decodeSound, type DecodeOptions } from '../audio/probe.js';

/** Frames per block cut from samples in memory. */
const FRAMES_PER_BLOCK = 16_384;

/** Any stream of encoded bytes. */
export type ByteStream = AsyncIterable<Uint8Array> | Readable | ReadableStream<Uint8Array>;

/** Options of a sound from memory or from a stream. */
export interface MemoryOptions extends DecodeOptions {
  /** Name of the sound in messages. */
  readonly label?: string | undefined;
}

/**
 * Makes a sound of encoded bytes in memory, such as a file that was read.
 * @param bytes in any known format; not copied, so they must not change until the sound has been played
 */
export function bytesSound(bytes: Uint8Array, options: MemoryOptions = {}): Sound {
  const label = options.label ?? 'the data';
  return {
    label,
    live: false,
    open: (context) => decodeSound(one(bytes, context.signal), label, context, options),
  };
}

/**
 * Makes a sound of samples in memory.
 * @param samples interleaved when there are several channels, floats from -1 to 1; not copied, so they must
 * not change until the sound has been played
 * @param sampleRateHz sample rate, 1,000 to 768,000
 */
export function samplesSound(
  samples: Float32Array | Int16Array,
  sampleRateHz: number,
  options: { readonly channels?: number | undefined; readonly label?: string | undefined } = {},
): Sound {
  const { channels = 1, label = 'the samples' } = options;
  return {
    label,
    live: false,
    async *open(context): AsyncGenerator<PcmBlock, void, undefined> {
      if (samples.length === 0)
        throw new BridgeError('SOUND_EMPTY', `${label} are none: the array is empty.`);
      const format = samples instanceof Int16Array ? '16-bit samples' : 'float samples';
      context.info({
        format,
        sampleRateHz,
        channels,
        durationMs: (samples.length / channels / sampleRateHz) * 1000,
      });
      const step = FRAMES_PER_BLOCK * channels;
      for (let at = 0; at < samples.length; at += step) {
        context.signal.throwIfAborted();
        yield { samples: samples.subarray(at, at + step), sampleRateHz, channels };
      }
    },
  };
}

/**
 * Makes a sound of a stream of encoded bytes. A chunk is read after the previous one has been played. Ending
 * early destroys or cancels the stream. It can be opened once.
 * @param stream a Node Readable, a web ReadableStream, or any async iterable of bytes
 */
export function streamSound(stream: ByteStream, options: MemoryOptions = {}): Sound {
  const label = options.label ?? 'the stream';
  let opened = false;
  return {
    label,
    live: false,
    open: (context) => {
      if (opened) throw new BridgeError('SOURCE_FAILED', `${label} has been read once and is gone.`);
      opened = true;
      return decodeSound(readStream(stream, label, context.signal), label, context, options);
    },
  };
}

/**
 * Reads the bytes of any stream. It ends at the signal even when the stream hangs, and its errors carry a
 * code.
 * @param label name of the stream in messages
 * @throws BridgeError SOURCE_FAILED when the stream fails or yields anything but bytes; the signal's reason
 */
export async function* readStream(
  stream: ByteStream,
  label: string,
  signal: AbortSignal,
): AsyncGenerator<EncodedChunk, void, undefined> {
  const { next, close } = puller(stream);
  let ended = false;
  try {
    for (;;) {
      const result = await abortable(next(), signal);
      if (result.done) return void (ended = true);
      const chunk: unknown = result.value;
      if (!(chunk instanceof Uint8Array))
        throw new BridgeError('SOURCE_FAILED', `${label} gave a ${typeof chunk} where bytes belong.`);
      yield chunk;
    }
  } catch (error) {
    throw signal.aborted ? error : toBridgeError(error, 'SOURCE_FAILED', `${label} broke off`);
  } finally {
    if (!ended) {
      const closing = close().catch(() => undefined);
      // After an abort the stream may hang, so its end is not awaited.
      if (!signal.aborted) await closing;
    }
  }
}

interface Puller {
  next(): Promise<{ done?: boolean | undefined; value?: unknown }>;
  close(): Promise<unknown>;
}

/**
 * Returns one way to read and close any stream: an iterator's `return()` alone would wait for a read that may
 * never end.
 */
function puller(stream: ByteStream): Puller {
  if ('getReader' in stream) {
    const reader = stream.getReader();
    return { next: () => reader.read(), close: () => reader.cancel() };
  }
  const iterator: AsyncIterator<unknown> = stream[Symbol.asyncIterator]();
  return {
    next: () => iterator.next(),
    close: async () => (stream instanceof Readable ? stream.destroy() : await iterator.return?.()),
  };
}

async function* one(bytes: Uint8Array, signal: AbortSignal): AsyncGenerator<EncodedChunk, void, undefined> {
  signal.throwIfAborted();
  yield bytes;
}
