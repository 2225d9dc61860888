import { describe, expect, it } from 'vitest';
import type { PcmBlock, Sound, SoundContext } from '../../src/audio/pcm.js';
import { broadcast } from '../../src/speech/broadcast.js';
import { HandSound, ramp, sound } from '../support/speech-rig.js';

function context(signal = new AbortController().signal): SoundContext {
  return { signal, info: () => undefined, warn: () => undefined };
}

async function read(branch: Sound, signal?: AbortSignal): Promise<Int16Array> {
  const all: number[] = [];
  for await (const { samples } of branch.open(context(signal))) all.push(...samples);
  return Int16Array.from(all);
}

describe('broadcast', () => {
  it('gives every branch every sample, from one reading of the source', async () => {
    let opened = 0;
    const branches = broadcast(sound(ramp(50_000), { onOpen: () => (opened += 1) }), 3);
    const heard = await Promise.all(branches.map((branch) => read(branch)));
    for (const samples of heard) expect(samples).toEqual(ramp(50_000));
    expect(opened).toBe(1);
  });

  it('lets one that takes nothing fall behind to a bound, then leaves it behind with an error', async () => {
    const [fast, slow] = broadcast(sound(ramp(16_000 * 20), { blockSamples: 1600 }), 2) as [Sound, Sound];
    const stuck = slow.open(context())[Symbol.asyncIterator]() as AsyncGenerator<PcmBlock, void>;
    await stuck.next();
    const heard = await read(fast);
    expect(heard.length).toBe(16_000 * 20);
    let taken = 1600;
    await expect(
      (async () => {
        for await (const block of stuck) taken += block.samples.length;
      })(),
    ).rejects.toMatchObject({ code: 'AGENT_STALLED' });
    expect(taken / 16).toBeLessThanOrEqual(5200);
  });

  it('passes an error of the source to all, after what came before it', async () => {
    const hand = new HandSound();
    const branches = broadcast(hand, 2);
    const results = Promise.allSettled(branches.map((branch) => read(branch)));
    hand.push(ramp(100));
    hand.fail(new Error('boom'));
    for (const result of await results) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'SOURCE_FAILED' } });
    }
  });

  it('frees the source when the last branch has ended, not before', async () => {
    const hand = new HandSound();
    const [a, b] = broadcast(hand, 2) as [Sound, Sound];
    const first = a.open(context())[Symbol.asyncIterator]() as AsyncGenerator<PcmBlock>;
    const controller = new AbortController();
    const second = read(b, controller.signal);
    hand.push(ramp(10));
    await first.next();
    await first.return(undefined);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(hand.closed).toBe(false);
    controller.abort();
    await second;
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(hand.closed).toBe(true);
  });
});
