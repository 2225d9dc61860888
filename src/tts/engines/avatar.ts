import { z } from 'zod';
import { BridgeError } from '../../base/errors.js';
import { defineEngine } from '../engine-definition.js';

/** Japanese voice in the avatar's own example content. */
export const AVATAR_VOICE = 'mei_voice_normal';

/**
 * Speech plugins of the avatar: it gets the text and makes the sound itself. So this engine has no sound to
 * return and cannot be a fallback; the narrator speaks with it sentence by sentence.
 */
export const avatar = defineEngine({
  name: 'avatar',
  summary: "the avatar's own Open JTalk or Flite; nothing to install",
  options: z.strictObject({}),
  create: () => ({
    name: 'avatar',
    capabilities: {
      ...({ streams: true, parallel: 1, timing: 'none', volume: false, performs: true } as const),
      lacks: ['rate', 'pitchSemitones'],
      // A command line holds 2,000 bytes; a character takes up to four.
      maxChars: 400,
    },
    async *synthesise() {
      throw new BridgeError(
        'ENGINE_FAILED',
        "The avatar speaks with its own voice by itself: there is no sound of it. It can be the engine of 'say', and nothing else.",
      );
    },
    voices: async () => [],
    close: async () => undefined,
  }),
});
