import { afterEach, describe, expect, it } from 'vitest';
import { createDriftCorrector, DriftControl, type DriftCorrector } from '../../src/audio/drift.js';
import { concat, cut, randomNumbers, sameSound, sine } from '../support/signals.js';

const HOUR_MS = 3_600_000;
const TARGET_MS = 120;

interface Simulation {
  /** The source's clock against ours, in millionths. */
  readonly driftPpm: (atMs: number) => number;
  readonly hours: number;
  readonly jitterMs?: number;
  readonly startFillMs?: number;
  readonly seed?: number;
}

/** Closes the loop in arithmetic: blocks of 20 ms of source time arrive with jitter, the ear takes at our pace. */
function simulate({ driftPpm, hours, jitterMs = 0, startFillMs = TARGET_MS, seed = 1 }: Simulation) {
  const control = new DriftControl({ targetFillMs: TARGET_MS });
  const random = randomNumbers(seed);
  const fills: number[] = [];
  const ppms: number[] = [];
  let dueMs = 0;
  let arrivedMs = 0;
  let madeMs = startFillMs;
  while (dueMs < hours * HOUR_MS) {
    dueMs += 20 / (1 + driftPpm(dueMs) * 1e-6);
    // Late by up to the jitter, but never before its previousWorker.
    arrivedMs = Math.max(arrivedMs, dueMs + random() * jitterMs);
    madeMs += 20 / (1 + control.ppm * 1e-6);
    control.observe(madeMs - arrivedMs, arrivedMs);
    fills.push(madeMs - dueMs);
    ppms.push(control.ppm);
  }
  return { control, fills, ppms, after: (ms: number) => fills.slice(Math.round(ms / 20)) };
}

function range(values: readonly number[]): [number, number] {
  let [least, most] = [Infinity, -Infinity];
  for (const value of values) {
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  return [least, most];
}

describe('DriftControl', () => {
  it.each([100, -100])('holds the fill for six hours of a source that is %i ppm off', (ppm) => {
    const { control, fills, after } = simulate({ driftPpm: () => ppm, hours: 6, jitterMs: 15 });
    // Uncorrected it would be 2,160 ms off at the end.
    const [least, most] = range(fills);
    expect(least).toBeGreaterThan(TARGET_MS - 15);
    expect(most).toBeLessThan(TARGET_MS + 20);
    const [leastSettled, mostSettled] = range(after(5 * 60_000));
    expect(mostSettled - leastSettled).toBeLessThan(3);
    expect(control.learntPpm).toBeGreaterThan(ppm - 25);
    expect(control.learntPpm).toBeLessThan(ppm + 25);
  });

  it('works off a wrong start within minutes, without swinging past the target by a frame', () => {
    const { fills, after } = simulate({ driftPpm: () => 0, hours: 0.5, startFillMs: TARGET_MS + 200 });
    expect(range(after(5 * 60_000))[1]).toBeLessThan(TARGET_MS + 5);
    expect(range(fills)[0]).toBeGreaterThan(TARGET_MS - 40);
  });

  it('follows a clock that wanders with the temperature', () => {
    const { after } = simulate({ driftPpm: (ms) => 80 * Math.sin(ms / 600_000), hours: 3, jitterMs: 10 });
    const [least, most] = range(after(5 * 60_000));
    expect(least).toBeGreaterThan(TARGET_MS - 8);
    expect(most).toBeLessThan(TARGET_MS + 8);
  });

  it('never corrects by more than its limit, and does not learn a stall as drift', () => {
    const control = new DriftControl({ targetFillMs: TARGET_MS, maxPpm: 2000 });
    let now = 0;
    for (; now < 60_000; now += 20) control.observe(TARGET_MS + 5000, now);
    expect(control.ppm).toBe(2000);
    expect(control.learntPpm).toBe(0);
    for (; now < 120_000; now += 20) control.observe(0, now);
    expect(control.ppm).toBe(-2000);
  });

  it('works off the pre-roll of a gate without taking it for drift', () => {
    const { control, after } = simulate({ driftPpm: () => 0, hours: 0.2, startFillMs: TARGET_MS + 300 });
    expect(Math.abs(control.learntPpm)).toBeLessThan(10);
    expect(range(after(8 * 60_000))[1]).toBeLessThan(TARGET_MS + 2);
  });

  it.each([1000, -1000])('still finds a clock as bad as %i ppm', (ppm) => {
    const { control, after } = simulate({ driftPpm: () => ppm, hours: 0.5 });
    expect(Math.abs(control.learntPpm - ppm)).toBeLessThan(10);
    const [least, most] = range(after(10 * 60_000));
    expect(Math.max(most - TARGET_MS, TARGET_MS - least)).toBeLessThan(3);
  });

  it('takes the first reading after an interruption as it is, and keeps what it learnt of the clock', () => {
    const { control } = simulate({ driftPpm: () => 300, hours: 0.5 });
    const learnt = control.learntPpm;
    control.observe(10, HOUR_MS);
    expect(control.smoothedFillMs).toBe(10);
    expect(control.learntPpm).toBe(learnt);
    control.restart();
    expect(control.ppm).toBe(learnt);
  });
});

describe('DriftCorrector', () => {
  const opened: DriftCorrector[] = [];
  const create = async (): Promise<DriftCorrector> => {
    const corrector = await createDriftCorrector({ targetFillMs: TARGET_MS });
    opened.push(corrector);
    return corrector;
  };
  afterEach(() => {
    for (const corrector of opened.splice(0)) corrector.close();
  });

  it.each([400, -400])('turns a source that is %i ppm off into sound on our clock', async (ppm) => {
    const corrector = await create();
    const block = new Int16Array(320);
    const minutes = 10;
    let made = TARGET_MS * 16;
    let dueMs = 0;
    for (let i = 0; i < minutes * 3000; i++) {
      dueMs += 20 / (1 + ppm * 1e-6);
      made += corrector.push(block).length;
      corrector.observe(made / 16 - dueMs, dueMs);
    }
    // Uncorrected it would be 240 ms off.
    expect(Math.abs(made / 16 - dueMs - TARGET_MS)).toBeLessThan(3);
    expect(Math.abs(corrector.learntPpm - ppm)).toBeLessThan(20);
  });

  it('keeps a sine clean to 16 bits at every ratio, and changes the ratio without a click', async () => {
    const corrector = await create();
    const frequencyHz = 1000;
    // Stretches of one ratio each.
    const stretches: { ppm: number; pieces: Int16Array[] }[] = [];
    let now = 0;
    for (const piece of cut(sine(16_000 * 20, frequencyHz, 16_000), 640)) {
      now += piece.length / 16;
      // A fill that swings by 40 ms: corrections from -2,000 to 2,000 ppm.
      corrector.observe(TARGET_MS + 40 * Math.sin(now / 5000), now);
      if (corrector.ppm !== stretches.at(-1)?.ppm) stretches.push({ ppm: corrector.ppm, pieces: [] });
      stretches.at(-1)!.pieces.push(corrector.push(piece));
    }
    expect(stretches.length).toBeGreaterThan(30);
    const residuals = stretches.slice(1).map(({ ppm, pieces }) => {
      const samples = concat(pieces);
      return samples.length < 320 ? -100 : residualDb(samples, frequencyHz * (1 + ppm * 1e-6));
    });
    expect(Math.max(...residuals)).toBeLessThan(-88);
    // A sine's second difference is bounded by its amplitude; a click of 40 (-58 dB) would show.
    const whole = concat(stretches.flatMap(({ pieces }) => pieces)).subarray(100);
    const bound = 16_000 * (2 * Math.sin((Math.PI * frequencyHz * 1.005) / 16_000)) ** 2 + 40;
    for (let i = 2; i < whole.length; i++)
      if (Math.abs(whole[i]! - 2 * whole[i - 1]! + whole[i - 2]!) > bound)
        throw new Error(`A click at ${i}.`);
  });

  it('gives the same samples whatever the chunking, at a fixed correction', async () => {
    const samples = sine(16_000, 700, 12_000);
    const results: Int16Array[] = [];
    for (const pieces of [[samples], cut(samples, 999, 7), cut(samples, 50, 8)]) {
      const corrector = await create();
      corrector.observe(TARGET_MS, 0);
      corrector.observe(TARGET_MS + 200, 600);
      expect(corrector.ppm).toBeGreaterThan(1000);
      results.push(concat(pieces.map((piece) => corrector.push(piece))));
    }
    expect(sameSound(results[0]!, results[1]!)).toBe(true);
    expect(sameSound(results[0]!, results[2]!)).toBe(true);
    expect(results[0]!.length).toBeLessThan(samples.length - 64 - 15);
  });

  it('loses nothing at the start: the first sample out is the first sample in', async () => {
    const corrector = await create();
    const click = new Int16Array(1600);
    click[0] = 20_000;
    const out = corrector.push(click);
    expect(out.indexOf(Math.max(...out))).toBe(0);
  });

  it('refuses sound after it was closed, and closes twice without harm', async () => {
    const corrector = await create();
    corrector.close();
    corrector.close();
    expect(() => corrector.push(new Int16Array(10))).toThrow(/closed/);
  });
});

/** What is left of a stretch after its best-fitting sine was taken out, in dB below the sine. */
function residualDb(samples: Int16Array, frequencyHz: number): number {
  const step = (2 * Math.PI * frequencyHz) / 16_000;
  let [ss, cc, sc, sx, cx, xx] = [0, 0, 0, 0, 0, 0];
  samples.forEach((sample, i) => {
    const [sin, cos] = [Math.sin(step * i), Math.cos(step * i)];
    ss += sin * sin;
    cc += cos * cos;
    sc += sin * cos;
    sx += sin * sample;
    cx += cos * sample;
    xx += sample * sample;
  });
  const det = ss * cc - sc * sc;
  const fitted = (sx * (cc * sx - sc * cx) + cx * (ss * cx - sc * sx)) / det;
  return 10 * Math.log10((xx - fitted) / fitted);
}
