import { BLOCK_SAMPLES, compareHeard, type SimulatedAvatar } from '../../../src/simulator/index.js';

/** Whether the last that an avatar heard is this sound, whole, to the sample. */
export function heardLast(avatar: SimulatedAvatar, sound: Int16Array): boolean {
  const heard = avatar.heard();
  const blocks = Math.ceil(sound.length / BLOCK_SAMPLES) * BLOCK_SAMPLES;
  return heard.length >= blocks && compareHeard(sound, heard.subarray(heard.length - blocks)).exact;
}

/**
 * The rules that were broken towards an avatar, but for the one about its first 50 ms: where the avatars' own process is
 * late, what was sent in time is read too early. That wait is tested by a clock that stands still.
 */
export function faultsOf(avatar: SimulatedAvatar): string[] {
  return avatar.report().faults.flatMap(({ rule }) => (rule === 'message-with-upgrade' ? [] : [rule]));
}
