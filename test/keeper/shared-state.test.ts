import { fork } from 'node:child_process';
import { once } from 'node:events';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { SharedState, sharedNowMs } from '../../src/keeper/shared-state.js';
import { buildForProcess } from '../support/built.js';

function openSharedState(): SharedState {
  const sharedState = SharedState.create();
  onTestFinished(() => sharedState.close());
  return sharedState;
}

describe('the shared state', () => {
  it('tells a fresh slot from one that a worker has read from', () => {
    const sharedState = openSharedState();
    sharedState.clear(3);
    expect(sharedState.read(3)).toMatchObject({ stage: 'fresh', segmentSamples: 0, facts: undefined });
    const line = sharedState.writer(3);
    for (const stage of ['request', 'answering', 'open'] as const) {
      line.stage(stage);
      expect(sharedState.read(3).stage).toBe(stage);
    }
    sharedState.clear(3);
    expect(sharedState.read(3)).toMatchObject({ stage: 'fresh', segmentSamples: 0, facts: undefined });
  });

  it('counts the samples of the open segment, whatever is sent', () => {
    const sharedState = openSharedState();
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.integer({ min: 1, max: 640 }), fc.constant('end' as const))),
        (units) => {
          sharedState.clear(0);
          const line = sharedState.writer(0);
          let open = 0;
          for (const unit of units) {
            if (unit === 'end') line.ended();
            else line.frame(unit);
            open = unit === 'end' ? 0 : open + unit;
            expect(sharedState.read(0).segmentSamples).toBe(open);
          }
        },
      ),
      { numRuns: 30 },
    );
  });

  it('knows until when the avatar plays, by a clock that all processes share', async () => {
    const sharedState = openSharedState();
    const line = sharedState.writer(0);
    const beforeMs = sharedNowMs();
    for (let i = 0; i < 10; i += 1) line.frame(640);
    const { dryAtMs } = sharedState.read(0);
    expect(dryAtMs - beforeMs).toBeGreaterThanOrEqual(400);
    expect(dryAtMs - sharedNowMs()).toBeLessThanOrEqual(400);
  });

  it('tells a frame that has left from one that may not have, and does not forget a doubt it was handed', async () => {
    const sharedState = openSharedState();
    const line = sharedState.writer(0);
    expect(sharedState.read(0).inDoubt).toBe(false);
    line.frame(640);
    expect(sharedState.read(0).inDoubt).toBe(true);
    line.left();
    await Promise.resolve();
    expect(sharedState.read(0)).toMatchObject({ inDoubt: false, segmentSamples: 640 });
    line.frame(640);
    const successor = sharedState.writer(0);
    successor.frame(256);
    successor.left();
    await Promise.resolve();
    expect(sharedState.read(0)).toMatchObject({ inDoubt: true, segmentSamples: 1536 });
  });

  it('writes what has left of many slots at once, and nothing of those of another process between them', async () => {
    const sharedState = openSharedState();
    const other = new SharedState(sharedState.fd);
    // Slots on both sides of a block of heads, every third one another process's.
    const slots = Array.from({ length: 20 }, (_, i) => 246 + i);
    const lines = slots.map((slot) => (slot % 3 === 0 ? other : sharedState).writer(slot));
    for (const line of lines) line.frame(640);
    slots.forEach((slot, i) => {
      if (slot % 3 !== 0) lines[i]!.left();
    });
    // What the other process writes before the end of this turn stays.
    slots.forEach((slot, i) => {
      if (slot % 3 === 0) lines[i]!.frame(256);
    });
    await Promise.resolve();
    for (const slot of slots) {
      const expected =
        slot % 3 === 0 ? { inDoubt: true, segmentSamples: 896 } : { inDoubt: false, segmentSamples: 640 };
      expect(sharedState.read(slot), String(slot)).toMatchObject(expected);
    }
  });

  it('is left alone by a writer that was closed', async () => {
    const sharedState = openSharedState();
    const line = sharedState.writer(0);
    line.frame(640);
    line.left();
    line.close();
    const next = new SharedState(sharedState.fd).writer(0);
    next.frame(100);
    line.frame(640);
    line.ended();
    line.facts({ name: 'late' });
    await Promise.resolve();
    expect(sharedState.read(0)).toMatchObject({ inDoubt: true, segmentSamples: 740, facts: undefined });
  });

  it('keeps facts of any script, and leaves out those that are too long', () => {
    const sharedState = openSharedState();
    const line = sharedState.writer(7);
    const facts = { name: 'アバター', link: { model: '0', started: true } };
    expect(line.facts(facts)).toBe(true);
    expect(line.facts({ long: 'x'.repeat(5000) })).toBe(false);
    expect(sharedState.read(7).facts).toEqual(facts);
    line.stage('open');
    expect(sharedState.read(7).facts).toEqual(facts);
    expect(sharedState.read(6).facts).toBeUndefined();
    expect(sharedState.read(8).facts).toBeUndefined();
  });

  it('holds what another process wrote into it up to the moment it was killed', async () => {
    const sharedState = openSharedState();
    const child = fork(buildForProcess('test/keeper/support/scribe.ts'), {
      stdio: ['inherit', 'inherit', 'inherit', 'ipc', sharedState.fd],
      execArgv: [],
    });
    const exit = once(child, 'exit');
    await once(child, 'message');
    child.kill('SIGKILL');
    await exit;
    expect(sharedState.read(2)).toMatchObject({
      stage: 'open',
      segmentSamples: 960,
      facts: { name: 'default' },
    });
    expect(Math.abs(sharedState.read(2).openedAtMs - sharedNowMs())).toBeLessThan(60_000);
  });

  it('goes on from what a previousWorker wrote', () => {
    const sharedState = openSharedState();
    const first = sharedState.writer(0);
    first.stage('answering');
    first.stage('open');
    first.frame(640);
    first.inboundWhole();
    const second = sharedState.writer(0);
    second.takeOver();
    second.frame(128);
    expect(sharedState.read(0)).toMatchObject({ stage: 'open', segmentSamples: 768, inboundWhole: false });
  });
});
