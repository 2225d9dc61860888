import { describe, expect, it } from 'vitest';
import { Backoff } from '../../src/keeper/backoff.js';

describe('the wait before a worker is started again', () => {
  it('is none the first time, then doubles up to half a minute', () => {
    const backoff = new Backoff();
    const waits = Array.from({ length: 14 }, () => backoff.next(50));
    expect(waits.slice(0, 6)).toEqual([0, 100, 200, 400, 800, 1600]);
    expect(waits.at(-1)).toBe(30_000);
    expect(Math.max(...waits)).toBe(30_000);
  });

  it('forgives everything after a worker that lived for a minute', () => {
    const backoff = new Backoff();
    for (let i = 0; i < 10; i += 1) backoff.next(50);
    expect(backoff.next(60_000)).toBe(0);
    expect(backoff.next(50)).toBe(100);
  });
});
