import { SAMPLE_RATE_HZ } from '../../src/base/units.js';

/** A repeatable source of numbers from 0 to 1 (mulberry32): a test that fails must fail again. */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** White noise, evenly spread between -amplitude and amplitude. */
export function noise(samples: number, amplitude: number, seed = 1): Int16Array {
  const random = randomNumbers(seed);
  return Int16Array.from({ length: samples }, () => Math.round((random() * 2 - 1) * amplitude));
}

/** A sine that starts at phase 0. */
export function sine(
  samples: number,
  frequencyHz: number,
  amplitude: number,
  rateHz = SAMPLE_RATE_HZ,
): Int16Array {
  return Int16Array.from({ length: samples }, (_, i) =>
    Math.round(amplitude * Math.sin((2 * Math.PI * frequencyHz * i) / rateHz)),
  );
}

/** Pieces joined to one. */
export function concat(pieces: readonly Int16Array[]): Int16Array {
  const joined = new Int16Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    joined.set(piece, at);
    at += piece.length;
  }
  return joined;
}

/** Cut into pieces of random length, some of them empty. */
export function cut(samples: Int16Array, longest: number, seed = 1): Int16Array[] {
  const random = randomNumbers(seed);
  const pieces: Int16Array[] = [];
  for (let at = 0; at < samples.length;) {
    const length = Math.floor(random() * (longest + 1));
    pieces.push(samples.subarray(at, at + length));
    at += length;
  }
  return pieces;
}

/** True when both hold the same samples; far faster than a deep comparison. */
export function sameSound(a: Int16Array, b: Int16Array): boolean {
  return a.length === b.length && a.every((sample, i) => sample === b[i]);
}

/** Noise without what lies above about 2 kHz: every resampler passes it the same. */
export function softNoise(samples: number, amplitude: number, seed = 1): Int16Array {
  const random = randomNumbers(seed);
  const stages = new Float64Array(4);
  return Int16Array.from({ length: samples }, () => {
    let value = (random() * 2 - 1) * amplitude * 3;
    for (let i = 0; i < stages.length; i++) value = stages[i]! += (value - stages[i]!) * 0.6;
    return Math.max(-32_768, Math.min(32_767, Math.round(value)));
  });
}

/**
 * Finds a piece of sound in another, at whatever level.
 * @returns where it is most like it, and how much: 1 is the same, 0 nothing in common
 */
export function findSound(piece: Int16Array, within: Int16Array): { at: number; likeness: number } {
  let energyPiece = 0;
  let energyWithin = 0;
  for (const sample of piece) energyPiece += sample * sample;
  for (const sample of within.subarray(0, piece.length)) energyWithin += sample * sample;
  let best = { at: -1, likeness: 0 };
  for (let at = 0; at + piece.length <= within.length; at++) {
    let product = 0;
    for (let i = 0; i < piece.length; i++) product += piece[i]! * within[at + i]!;
    const likeness = product / Math.sqrt(energyPiece * Math.max(1, energyWithin));
    if (likeness > best.likeness) best = { at, likeness };
    energyWithin += (within[at + piece.length] ?? 0) ** 2 - within[at]! ** 2;
  }
  return best;
}
