import { createConverter } from '../audio/convert.js';
import { VoiceGate, type GateEvent, type GateOptions } from '../audio/gate.js';
import { blockMs, type PcmBlock, type Sound, type SoundContext } from '../audio/pcm.js';
import { SAMPLE_RATE_HZ, samplesToMs } from '../base/units.js';

/** How a sound is gated. */
export interface GatedOptions extends GateOptions {
  /** Told when somebody begins to speak (true) and has stopped (false). */
  readonly onChange?: (open: boolean) => void;
}

/**
 * Another sound, of which only what somebody says is left: 16 kHz mono, in stretches, with nothing in between. A live
 * sound stays live; its stretches come late by the pre-roll, because that is what the first syllable is kept in.
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
  /** Samples that went into the gate, and when the end of them was captured, where that is known. */
  let seen = 0;
  let seenToMs: number | undefined;
  /** Where in them the next sample that comes out lies. */
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
