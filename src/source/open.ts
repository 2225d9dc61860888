import { BridgeError } from '../base/errors.js';
import type { SoundInput, SoundInputOptions } from '../audio/input.js';
import type { Sound } from '../audio/pcm.js';

/**
 * Turns what a caller gives into a sound.
 * @throws BridgeError OPTION_INVALID when it is nothing that can be spoken
 */
export function openSound(input: SoundInput, options: SoundInputOptions): Sound {
  if (typeof input === 'object' && 'open' in input) return input;
  throw new BridgeError('OPTION_INVALID', `${options.label ?? `A ${typeof input}`} cannot be spoken.`);
}
