/** Encoded bytes of a sound, in chunks of any size. */
export type EncodedChunk = Uint8Array;

/**
 * Decoded sound. Interleaved when there are several channels, so `samples.length` is a multiple of
 * `channels`. Floats are nominally -1 to 1 and may exceed it; they are clamped when quantised.
 */
export interface PcmBlock {
  readonly samples: Float32Array | Int16Array;
  readonly sampleRateHz: number;
  readonly channels: number;
  /**
   * Speakers of the channels: one bit per speaker as in WAVEFORMATEXTENSIBLE (1 front left, 2 front right, 4
   * centre, 8 LFE, …), with channels in the order of the bits. 0 or absent when unknown.
   */
  readonly channelMask?: number | undefined;
  /** Live sound: capture time of the first sample, in monotonic ms of the bridge's clock, if known. */
  readonly capturedAtMs?: number | undefined;
}

/** Returns the duration of a block, in ms. */
export function blockMs({ samples, channels, sampleRateHz }: PcmBlock): number {
  return (samples.length / channels / sampleRateHz) * 1000;
}

/** Lowest sample rate that is accepted; a lower one means damage. */
export const MIN_RATE_HZ = 1_000;
/** Highest sample rate that is accepted. */
export const MAX_RATE_HZ = 768_000;
/** Maximum number of channels. */
export const MAX_CHANNELS = 32;

/** Description of a sound from its header. */
export interface SoundInfo {
  /** Name of the format for people: `WAV, 16-bit PCM`. */
  readonly format: string;
  readonly sampleRateHz: number;
  readonly channels: number;
  /** Whole length in milliseconds, if the header gives it. */
  readonly durationMs?: number | undefined;
}

/** Context of an open sound. */
export interface SoundContext {
  /** Aborted when the rest is not needed: stop reading and free everything. */
  readonly signal: AbortSignal;
  /** Called once, as soon as the description is known. */
  info(info: SoundInfo): void;
  /** Reports a fault that does not end the sound, as a whole sentence: `voice.wav is cut off: …`. */
  warn(message: string): void;
}

/** A sound that can be opened once. The caller that opens it owns it: ending the iteration early frees it. */
export interface Sound {
  /** Name in messages: a file's name, `standard input`, `microphone`. */
  readonly label: string;
  /** True when it comes in real time and cannot wait (a microphone); false when it is pulled. */
  readonly live: boolean;
  /** Maximum live sound that may come at once, in ms, because it was held back first: a gate's pre-roll. */
  readonly burstMs?: number | undefined;
  /** Memory used while it waits to be opened, in bytes, when it holds a caller's text. */
  readonly heldBytes?: number | undefined;
  /**
   * @throws BridgeError FILE_NOT_FOUND, FILE_UNREADABLE, SOUND_EMPTY, SOUND_UNKNOWN, SOUND_BROKEN or SOURCE_FAILED,
   * at the first `next()` or any later one
   */
  open(context: SoundContext): AsyncIterable<PcmBlock>;
}

/**
 * Decodes encoded bytes in any chunking to blocks of PCM. When the bytes hold no sound it throws a
 * BridgeError and never returns silence.
 * @param label name of the sound in messages
 * @param path absolute path of the file whose bytes these are, from its start on, for a decoder that reads
 * the file itself
 */
export type Decode = (
  chunks: AsyncIterable<EncodedChunk>,
  label: string,
  context: SoundContext,
  path?: string,
) => AsyncIterable<PcmBlock>;
