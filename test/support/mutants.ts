import { expect } from 'vitest';
import type { Decode } from '../../src/audio/pcm.js';
import { BridgeError } from '../../src/base/errors.js';
import { decodeAll, type Decoded } from './codecs.js';

/** Numbers that look random and are the same in every run (mulberry32). */
export function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** A damaged copy of a file, as bad disks, broken connections and hostile senders make them. */
export function mutant(bytes: Uint8Array, seed: number): { how: string; bytes: Uint8Array } {
  const random = seeded(seed);
  const at = random(4) === 0 ? random(Math.min(200, bytes.length)) : random(bytes.length);
  const length = 1 + random(random(2) === 0 ? 40 : 4000);
  const copy = Buffer.from(bytes);
  const cut = (from: number, to: number, between = Buffer.alloc(0)): Buffer =>
    Buffer.concat([copy.subarray(0, from), between, copy.subarray(to)]);
  const noise = Buffer.from(Array.from({ length }, () => random(256)));
  switch (random(8)) {
    case 0:
      copy[at]! ^= 1 << random(8);
      return { how: `a flipped bit at ${at}`, bytes: copy };
    case 1:
      for (let i = 0; i < 30; i++) copy[random(copy.length)]! ^= 1 << random(8);
      return { how: '30 flipped bits', bytes: copy };
    case 2:
      return { how: `cut off at ${at}`, bytes: copy.subarray(0, at) };
    case 3:
      return { how: `${length} bytes missing at ${at}`, bytes: cut(at, at + length) };
    case 4:
      return { how: `${length} bytes of noise put in at ${at}`, bytes: cut(at, at, noise) };
    case 5:
      return {
        how: `${length} bytes at ${at} turned into noise`,
        bytes: cut(at, at + length, noise).subarray(0, copy.length),
      };
    case 6:
      return { how: `${length} zeros at ${at}`, bytes: copy.fill(0, at, Math.min(at + length, copy.length)) };
    default:
      return { how: `${length} bytes at ${at} twice`, bytes: cut(at, at, copy.subarray(at, at + length)) };
  }
}

const EXPECTED = ['SOUND_EMPTY', 'SOUND_UNKNOWN', 'SOUND_BROKEN', 'SOUND_TOO_LARGE'];

/**
 * Decodes damaged copies of a file: each must end with an error that says so or with sound; sound must be finite and no
 * louder than sound can be; where a tenth of a second or more is missing there must have been a word.
 */
export async function expectHonesty(decode: Decode, bytes: Uint8Array, mutants: number): Promise<void> {
  const whole = await decodeAll(decode, bytes);
  for (let seed = 0; seed < mutants; seed++) {
    const { how, bytes: damaged } = mutant(bytes, seed);
    const note = `seed ${seed}: ${how}`;
    let heard: Decoded;
    try {
      heard = await decodeAll(decode, damaged, 4096);
    } catch (error) {
      expect(error, note).toBeInstanceOf(BridgeError);
      expect(EXPECTED, note).toContain((error as BridgeError).code);
      continue;
    }
    expect(heard.samples.length, note).toBeGreaterThan(0);
    expect(
      heard.samples.every((value) => Math.abs(value) <= 4),
      note,
    ).toBe(true);
    if (soundMs(heard) < soundMs(whole) - 100) expect(heard.warnings.length, note).toBeGreaterThan(0);
  }
}

/** How much of it is not silence. */
function soundMs({ samples, channels, sampleRateHz }: Decoded): number {
  const piece = Math.round(sampleRateHz / 100) * channels;
  let loud = 0;
  for (let at = 0; at + piece <= samples.length; at += piece) {
    let power = 0;
    for (let i = at; i < at + piece; i++) power += samples[i]! ** 2;
    if (power / piece > 1e-7) loud += 10;
  }
  return loud;
}
