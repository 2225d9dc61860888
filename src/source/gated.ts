import { createConverter } from '../audio/convert.js';
import { VoiceGate, type GateEvent, type GateOptions } from '../audio/gate.js';
import { blockMs, type PcmBlock, type Sound, type SoundContext } from '../audio/pcm.js';
import { SAMPLE_RATE_HZ, samplesToMs } from '../base/units.js';

/** Options of a gated sound. */
export interface GatedOptions extends GateOptions {
  /** Called with true when speech begins and with false when it has stopped. */
  readonly onChange?: (open: boolean) => void;
}

/**
 * Makes a sound that contains only the speech of another one: 16 kHz mono, in stretches, with nothing in
 * between. A live sound stays live; its stretches are delayed by the pre-roll, which holds the first
 * syllable.
 * @throws BridgeError OPTION_INVALID when the pre-roll is not 0 to 2,000 ms or the hang-over not 0 to 60,000 ms
 */
export function gatedSound(sound: Sound, options: GatedOptions = {}): Sound {
  const { burstMs } = new VoiceGate(options);
  return {
    label: sound.label,
    live: sound.live,
    burstMs: burstMs + (sound.burstMs ?? 0),
    open: (context) => gated(sound, options, context),
  };
}

async function* gated(
  sound: Sound,
  { onChange, ...options }: GatedOptions,
  context: SoundContext,
): AsyncGenerator<PcmBlock, void, undefined> {
  const gate = new VoiceGate(options);
  const converter = await createConverter(sound.label);
  /** Samples that went into the gate, and the capture time of their end, if known. */
  let seen = 0;
  let seenToMs: number | undefined;
  /** Position of the next output sample in the input. */
  let at = 0;
  const passed = function* (events: readonly GateEvent[]): Generator<PcmBlock> {
    for (const event of events) {
      if (event.type === 'audio') {
        const { samples } = event;
        const captured =
          seenToMs === undefined ? undefined : { capturedAtMs: seenToMs - samplesToMs(seen - at) };
        at += samples.length;
        yield { samples, sampleRateHz: SAMPLE_RATE_HZ, channels: 1, ...captured };
      } else {
        if (event.type === 'open') at = event.atSample;
        onChange?.(event.type === 'open');
      }
    }
  };
  const pushed = (samples: Int16Array): Generator<PcmBlock> => {
    seen += samples.length;
    return passed(gate.push(samples));
  };
  try {
    for await (const block of sound.open(context)) {
      const samples = converter.push(block);
      const { capturedAtMs } = block;
      seenToMs = capturedAtMs === undefined ? undefined : capturedAtMs + blockMs(block) - converter.pendingMs;
      yield* pushed(samples);
    }
    yield* pushed(converter.flush());
    yield* passed(gate.end());
  } finally {
    converter.close();
  }
}
