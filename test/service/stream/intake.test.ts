import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/base/clock.js';
import { Flow } from '../../../src/service/stream/flow.js';
import { HeardMarks } from '../../../src/service/stream/heard-marks.js';
import { Intake, type IntakeOptions } from '../../../src/service/stream/intake.js';

const quiet = { pause: () => undefined, shut: () => undefined };

function intakeWith(options: Partial<IntakeOptions> = {}): { intake: Intake; flow: Flow; marks: string[] } {
  const flow = options.flow ?? new Flow({ pauseBytes: 1e9, shutBytes: 2e9 }, quiet);
  const marks: string[] = [];
  const intake = new Intake({
    clock: systemClock,
    flow,
    label: 'the stream',
    idleMs: 10_000,
    onMark: ({ name }) => marks.push(name),
    onDrop: () => undefined,
    ...options,
  });
  return { intake, flow, marks };
}

async function drain(intake: Intake): Promise<number[]> {
  const bytes: number[] = [];
  for await (const chunk of intake) for (const byte of chunk) bytes.push(byte);
  return bytes;
}

describe('the flow of a stream', () => {
  it('asks to wait, then stops reading, and goes on at half, in that order', () => {
    const told: string[] = [];
    const flow = new Flow(
      { pauseBytes: 100, shutBytes: 400 },
      {
        pause: (on) => told.push(on ? 'pause' : 'resume'),
        shut: (on) => told.push(on ? 'shut' : 'open'),
      },
    );
    flow.add(99);
    expect(told).toEqual([]);
    flow.add(1);
    flow.add(299);
    expect(told).toEqual(['pause']);
    flow.add(1);
    flow.add(500);
    expect(told).toEqual(['pause', 'shut']);
    flow.add(-799);
    expect(told).toEqual(['pause', 'shut']);
    flow.add(-1);
    expect(told).toEqual(['pause', 'shut', 'open']);
    flow.add(-49);
    flow.add(-1);
    expect(told).toEqual(['pause', 'shut', 'open', 'resume']);
  });

  it('tells each change once, whatever comes and goes', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -300, max: 300 })), (steps) => {
        let paused = false;
        let shut = false;
        const flow = new Flow(
          { pauseBytes: 100, shutBytes: 400 },
          {
            pause: (on) => {
              expect(on).toBe(!paused);
              paused = on;
            },
            shut: (on) => {
              expect(on).toBe(!shut);
              shut = on;
            },
          },
        );
        for (const step of steps) {
          flow.add(Math.max(step, -flow.heldBytes));
          if (flow.heldBytes >= 400) expect([paused, shut]).toEqual([true, true]);
          if (flow.heldBytes <= 50) expect([paused, shut]).toEqual([false, false]);
        }
      }),
    );
  });
});

describe('the intake of a stream', () => {
  it('gives what came in, in order, and the marks where they were set', async () => {
    const { intake, flow, marks } = intakeWith();
    const seen: string[] = [];
    intake.push(Uint8Array.of(1, 2));
    intake.mark({ name: 'a', ref: undefined });
    intake.push(Uint8Array.of(3));
    intake.mark({ name: 'b', ref: undefined });
    intake.end();
    for await (const chunk of intake) seen.push([...chunk].join(), ...marks);
    expect(seen).toEqual(['1,2', '3', 'a']);
    expect(marks).toEqual(['a', 'b']);
    expect(flow.heldBytes).toBe(0);
  });

  it('counts single bytes for more than one, so that they cannot fill the memory', () => {
    const { intake, flow } = intakeWith();
    for (let i = 0; i < 1000; i += 1) intake.push(Uint8Array.of(0));
    expect(flow.heldBytes).toBeGreaterThan(50_000);
    intake.close();
    expect(flow.heldBytes).toBe(0);
  });

  it('tells which marks nobody came to, and takes nothing more once closed', async () => {
    const { intake, flow } = intakeWith();
    intake.push(Uint8Array.of(1));
    intake.mark({ name: 'late', ref: 'r' });
    expect(intake.close()).toEqual([{ name: 'late', ref: 'r' }]);
    intake.push(Uint8Array.of(1));
    expect(flow.heldBytes).toBe(0);
    expect(await drain(intake)).toEqual([]);
  });

  it('fails when it is silent for too long, after all that came', async () => {
    const { intake } = intakeWith({ idleMs: 20 });
    intake.push(Uint8Array.of(7));
    const chunks: number[] = [];
    await expect(
      (async () => {
        for await (const chunk of intake) chunks.push(...chunk);
      })(),
    ).rejects.toMatchObject({ code: 'SOURCE_FAILED' });
    expect(chunks).toEqual([7]);
  });

  it('drops the oldest of live sound in whole frames, counts it, and stays in step', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 40 }),
        fc.constantFrom(1, 2, 4, 6),
        async (cuts, frameBytes) => {
          let dropped = 0;
          const { intake, flow } = intakeWith({
            live: { maxBytes: 96, frameBytes },
            onDrop: (bytes) => (dropped += bytes),
          });
          let next = 0;
          for (const length of cuts) intake.push(Uint8Array.from({ length }, () => next++ % 251));
          intake.end();
          const left = await drain(intake);
          expect(dropped % frameBytes).toBe(0);
          expect(left.length + dropped).toBe(next);
          expect(left.length).toBeLessThanOrEqual(96);
          expect(left).toEqual(Array.from({ length: left.length }, (_, i) => (dropped + i) % 251));
          expect(flow.heldBytes).toBe(0);
        },
      ),
    );
  });
});

describe('marks', () => {
  it('are heard in order, each once its place has been heard', () => {
    const marks = new HeardMarks();
    for (const [name, atMs] of [
      ['a', 0],
      ['b', 100],
      ['c', 100],
      ['d', 250],
    ] as const)
      marks.add({ name, ref: undefined, atMs });
    const names = (heardMs: number): string[] => marks.heard(heardMs).map(({ name }) => name);
    expect(names(99.9)).toEqual(['a']);
    expect(marks.nextMs).toBe(100);
    expect(names(100)).toEqual(['b', 'c']);
    expect(names(100)).toEqual([]);
    expect(names(Infinity)).toEqual(['d']);
    expect([marks.size, marks.nextMs]).toEqual([0, undefined]);
  });
});
