import { createConverter } from '../audio/convert.js';
import { VoiceGate, type GateEvent, type GateOptions } from '../audio/gate.js';
import type { PcmBlock, Sound, SoundContext } from '../audio/pcm.js';
import { SAMPLE_RATE_HZ } from '../base/units.js';

/** How a sound is gated. */
export interface GatedOptions extends GateOptions {
  /** Told when somebody begins to speak (true) and has stopped (false). */
  readonly onChange?: (open: boolean) => void;
}

/**
 * Another sound, of which only what somebody says is left: 16 kHz mono, in stretches, with nothing in between. A live
 * sound stays live; its stretches come late by the pre-roll, because that is what the first syllable is kept in.
 */
export function gatedSound(sound: Sound, options: GatedOptions = {}): Sound {
  return {
    label: sound.label,
    live: sound.live,
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
  const passed = function* (events: readonly GateEvent[]): Generator<PcmBlock> {
    for (const event of events) {
      if (event.type === 'audio') yield { samples: event.samples, sampleRateHz: SAMPLE_RATE_HZ, channels: 1 };
      else onChange?.(event.type === 'open');
    }
  };
  try {
    for await (const block of sound.open(context)) yield* passed(gate.push(converter.push(block)));
    yield* passed(gate.push(converter.flush()));
    yield* passed(gate.end());
  } finally {
    converter.close();
  }
}
