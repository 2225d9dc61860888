/** Bytes of a sound as they came: any size, any boundary. */
export type EncodedChunk = Uint8Array;

/**
 * Decoded sound. Interleaved when there are several channels, so `samples.length` is a multiple of `channels`.
 * Floats are nominally -1 to 1 and may exceed it; they are clamped when quantised.
 */
export interface PcmBlock {
  readonly samples: Float32Array | Int16Array;
  readonly sampleRateHz: number;
  readonly channels: number;
  /**
   * Which speaker each channel is for: a bit a speaker as in WAVEFORMATEXTENSIBLE (1 front left, 2 front right, 4 centre,
   * 8 LFE, …), channels in the order of the bits. 0 or absent when nobody says.
   */
  readonly channelMask?: number | undefined;
  /** Live sound: when its first sample was captured, in monotonic ms of the bridge's clock, where that is known. */
  readonly capturedAtMs?: number | undefined;
}

/** How long a block lasts, in ms. */
export function blockMs({ samples, channels, sampleRateHz }: PcmBlock): number {
  return (samples.length / channels / sampleRateHz) * 1000;
}

/** The lowest rate that is taken for sound; anything below is damage. */
export const MIN_RATE_HZ = 1_000;
/** The highest rate that is taken for sound. */
export const MAX_RATE_HZ = 768_000;
/** The most channels that are taken for sound. */
export const MAX_CHANNELS = 32;

/** What a sound says of itself once its head has been read. */
export interface SoundInfo {
  /** The format as people call it: `WAV, 16-bit PCM`. */
  readonly format: string;
  readonly sampleRateHz: number;
  readonly channels: number;
  /** Whole length in milliseconds, when the head tells it. */
  readonly durationMs?: number | undefined;
}

/** What travels beside a sound while it is open. */
export interface SoundContext {
  /** Aborted when nobody wants the rest: stop reading and free everything. */
  readonly signal: AbortSignal;
  /** Called once, as soon as it is known. */
  info(info: SoundInfo): void;
  /** A fault that does not end the sound, as a whole sentence: `voice.wav is cut off: …`. */
  warn(message: string): void;
}

/** A sound that can be opened, once. Who opens it owns it: ending the iteration early frees it. */
export interface Sound {
  /** How messages name it: a file's name, `standard input`, `microphone`. */
  readonly label: string;
  /** True when it comes in its own time and cannot wait (a microphone); false when it is pulled. */
  readonly live: boolean;
  /** Live sound: how much of it may come at once, in ms, because it was kept back first: a gate's pre-roll. */
  readonly burstMs?: number | undefined;
  /** Memory that it takes while it waits to be opened, in bytes, where it holds a caller's text. */
  readonly heldBytes?: number | undefined;
  /**
   * @throws BridgeError FILE_NOT_FOUND, FILE_UNREADABLE, SOUND_EMPTY, SOUND_UNKNOWN, SOUND_BROKEN or SOURCE_FAILED,
   * at the first `next()` or any later one
   */
  open(context: SoundContext): AsyncIterable<PcmBlock>;
}

/**
 * A decoder: encoded bytes in any chunking to blocks of PCM. It ends with a BridgeError, never with silence, when the
 * bytes hold no sound.
 * @param label how messages name the sound
 * @param path absolute path of the file whose bytes these are, from its start on, for a decoder that reads it by itself
 */
export type Decode = (
  chunks: AsyncIterable<EncodedChunk>,
  label: string,
  context: SoundContext,
  path?: string,
) => AsyncIterable<PcmBlock>;
