import { BridgeError } from '../base/errors.js';
import { MAX_BURST_MS, type SoundInputOptions } from './input.js';
import type { Sound } from './pcm.js';

/**
 * The same sound as one that comes in its own time and cannot wait.
 * @param options whose `burstMs` says how much may come at once, in the place of what the sound says itself
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
