import { decodeSound } from '../audio/probe.js';
import type { PcmBlock, SoundInfo } from '../audio/pcm.js';
import { BridgeError } from '../base/errors.js';
import type {
  PhonemeTiming,
  VoiceOptions,
  SynthesisContext,
  SynthesisPart,
  TextSpan,
  TtsEngine,
} from './engine.js';

/** Callbacks while an utterance is decoded. */
export interface UtteranceContext extends SynthesisContext {
  /** Called first, by engines that choose among others. */
  engine?(name: string): void;
  /** Called before the first block, by engines that report phonemes. */
  phonemes?(phonemes: readonly PhonemeTiming[]): void;
  /** Called at any moment, in order of time. */
  spans?(spans: readonly TextSpan[]): void;
  /** Called before the first block. */
  info?(info: SoundInfo): void;
}

/**
 * Returns one utterance of an engine as PCM, from any format. Ending the iteration early ends the request.
 * @throws the engine's error; BridgeError ENGINE_FAILED when its bytes are not sound
 */
export async function* utteranceBlocks(
  engine: TtsEngine,
  text: string,
  options: VoiceOptions,
  context: UtteranceContext,
): AsyncGenerator<PcmBlock, void, undefined> {
  const parts = engine.synthesise(text, options, context)[Symbol.asyncIterator]();
  const volume = engine.capabilities.volume ? 1 : (options.volume ?? 1);
  try {
    const head = await untilAudio(parts, context);
    const sound = decodeSound(
      audioBytes(head.first, parts, context),
      `the sound of ${engine.name}`,
      {
        signal: context.signal,
        warn: (message) => context.warn(message),
        info: (info) => context.info?.(info),
      },
      { ...head.format?.label, raw: head.format?.format, rawIsGuess: true },
    );
    for await (const block of sound) yield volume === 1 ? block : louder(block, volume);
  } catch (error) {
    if (!(error instanceof BridgeError) || error.kind !== 'input') throw error;
    throw new BridgeError('ENGINE_FAILED', `The engine ${engine.name} gave no sound: ${error.message}`, {
      cause: error,
    });
  } finally {
    await parts.return?.();
  }
}

interface Head {
  readonly first: Uint8Array | undefined;
  readonly format: Extract<SynthesisPart, { kind: 'format' }> | undefined;
}

/** Reads the parts before the audio. */
async function untilAudio(parts: AsyncIterator<SynthesisPart>, context: UtteranceContext): Promise<Head> {
  let format: Head['format'];
  for (let next = await parts.next(); !next.done; next = await parts.next()) {
    const part = next.value;
    if (part.kind === 'audio') return { first: part.bytes, format };
    if (part.kind === 'format') format = part;
    else tell(part, context);
  }
  return { first: undefined, format };
}

async function* audioBytes(
  first: Uint8Array | undefined,
  parts: AsyncIterator<SynthesisPart>,
  context: UtteranceContext,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (first) yield first;
  for (let next = await parts.next(); !next.done; next = await parts.next()) {
    const part = next.value;
    if (part.kind === 'audio') yield part.bytes;
    else tell(part, context);
  }
}

function tell(part: SynthesisPart, context: UtteranceContext): void {
  if (part.kind === 'engine') context.engine?.(part.name);
  else if (part.kind === 'phonemes') context.phonemes?.(part.phonemes);
  else if (part.kind === 'spans') context.spans?.(part.spans);
}

/** Scales a block. Floats may exceed full scale; the converter clamps them. */
function louder({ samples, sampleRateHz, channels }: PcmBlock, factor: number): PcmBlock {
  const scaled = new Float32Array(samples.length);
  const unit = samples instanceof Int16Array ? factor / 32_768 : factor;
  for (let i = 0; i < samples.length; i++) scaled[i] = samples[i]! * unit;
  return { samples: scaled, sampleRateHz, channels };
}
