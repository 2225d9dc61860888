import { BridgeError } from '../base/errors.js';
import { MAX_BURST_MS, type SoundInputOptions } from './input.js';
import type { Sound } from './pcm.js';

/**
 * Returns the sound as a live one, which comes in real time and cannot wait.
 * @param options its `burstMs` limits the sound that may come at once, in place of the sound's own value
 * @throws BridgeError OPTION_INVALID when that is not 0 to 5,000 ms
 */
export function liveSound(sound: Sound, options: Pick<SoundInputOptions, 'burstMs'>): Sound {
  const burstMs = options.burstMs ?? sound.burstMs ?? 0;
  if (!(burstMs >= 0 && burstMs <= MAX_BURST_MS))
    throw new BridgeError(
      'OPTION_INVALID',
      `burstMs cannot be ${burstMs}: it takes 0 to ${MAX_BURST_MS} ms.`,
    );
  return { label: sound.label, live: true, burstMs, open: (context) => sound.open(context) };
}
