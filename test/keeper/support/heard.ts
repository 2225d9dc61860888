import { BLOCK_SAMPLES, compareHeard, type SimulatedAvatar } from '../../../src/simulator/index.js';

/** Whether the last that an avatar heard is this sound, whole, to the sample. */
export function heardLast(avatar: SimulatedAvatar, sound: Int16Array): boolean {
  const heard = avatar.heard();
  const blocks = Math.ceil(sound.length / BLOCK_SAMPLES) * BLOCK_SAMPLES;
  return heard.length >= blocks && compareHeard(sound, heard.subarray(heard.length - blocks)).exact;
}

/** The rules that were broken towards an avatar. */
export function faultsOf(avatar: SimulatedAvatar): string[] {
  return avatar.report().faults.map(({ rule }) => rule);
}
