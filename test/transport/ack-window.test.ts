import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeCommand, encodeFrame, SEGMENT_END, type WireUnit } from '../../src/agent/wire.js';
import { AckWindow } from '../../src/transport/ack-window.js';

const LIMIT = 65_536;
const FRAME = encodeFrame(new Int16Array(640));

/** A command of so many bytes, its newline included. */
function command(bytes: number): WireUnit {
  return encodeCommand(`A${'x'.repeat(bytes - 2)}`);
}

/** Hands a unit over as a connection does. @returns the marks that went out */
function send(window: AckWindow, unit: WireUnit, nowMs = 0): number[] {
  if (!window.admit(unit)) return [];
  const mark = window.wrote(unit, nowMs);
  return mark === undefined ? [] : [mark];
}

describe('the bound of what is under way', () => {
  it('holds, always lets one unit through, and always has a mark under way to open it', () => {
    fc.assert(
      fc.property(
        // Answers are few, so that the window is filled to its limit time and again.
        fc.array(
          fc.oneof(
            { arbitrary: fc.integer({ min: 2, max: 1900 }), weight: 30 },
            { arbitrary: fc.constant('answer' as const), weight: 1 },
          ),
          { minLength: 50, maxLength: 300 },
        ),
        (steps) => {
          const window = new AckWindow();
          const marks: number[] = [];
          const written: number[] = [];
          const handed: number[] = [];
          const write = (unit: WireUnit): void => {
            written.push(unit.byteLength);
            const mark = window.wrote(unit, 0);
            if (mark !== undefined) marks.push(mark);
          };
          for (const step of steps) {
            if (step === 'answer') {
              if (marks.length > 0) expect(window.answered(marks.shift(), 0, write)).toBe(true);
              continue;
            }
            handed.push(step);
            if (window.admit(command(step))) write(command(step));
            else expect(marks.length).toBeGreaterThan(0);
            expect(window.underWayBytes).toBeLessThanOrEqual(LIMIT + 200);
          }
          while (marks.length > 0) window.answered(marks.shift(), 0, write);
          expect(written).toEqual(handed);
          expect(window.waitingBytes).toBe(0);
          expect(window.underWayBytes).toBeLessThan(LIMIT / 2);
        },
      ),
    );
  });

  it('lets nothing more in when it is full, and takes nothing back for an answer that was overtaken', () => {
    const window = new AckWindow();
    const marks: number[] = [];
    while (window.waitingBytes === 0) marks.push(...send(window, FRAME));
    expect(window.underWayBytes).toBeGreaterThan(LIMIT - 1500);
    expect(window.underWayBytes).toBeLessThanOrEqual(LIMIT);
    expect(marks.length).toBeGreaterThan(2);
    const released: WireUnit[] = [];
    const write = (unit: WireUnit): void => {
      released.push(unit);
      window.wrote(unit, 0);
    };
    window.answered(marks.at(-1), 0, write);
    expect(released).toHaveLength(1);
    const underWay = window.underWayBytes;
    expect(window.answered(marks[0], 0, write)).toBe(false);
    expect(window.underWayBytes).toBe(underWay);
  });

  it('keeps a short unit behind a long one that has no room, and both as they were handed over', () => {
    const window = new AckWindow();
    const marks: number[] = [];
    while (window.waitingBytes === 0) marks.push(...send(window, FRAME));
    const samples = new Int16Array(640).fill(7);
    expect(window.admit(encodeFrame(samples))).toBe(false);
    samples.fill(0);
    expect(window.admit(command(3))).toBe(false);
    const released: WireUnit[] = [];
    window.answered(marks.at(-1), 0, (unit) => released.push(unit));
    expect(released.map(({ kind }) => kind)).toEqual(['frame', 'frame', 'command']);
    expect(released[1]!.samples.every((sample) => sample === 7)).toBe(true);
  });

  it('is not opened by the answer to a mark of another process', () => {
    const window = new AckWindow(undefined, 1000);
    send(window, FRAME);
    expect(window.answered(7, 0, () => undefined)).toBe(false);
    expect(window.answered(undefined, 0, () => undefined)).toBe(false);
    expect(window.underWayBytes).toBeGreaterThan(1000);
  });
});

describe('marks', () => {
  it('go out a few times a second while sound is paced, and behind each end of a segment', () => {
    const window = new AckWindow();
    let marks = 0;
    for (let frame = 0; frame < 250; frame += 1) {
      for (const mark of send(window, FRAME, frame * 40)) {
        marks += 1;
        window.answered(mark, frame * 40 + 1, () => undefined);
      }
    }
    expect(marks).toBe(25);
    expect(send(window, SEGMENT_END, 10_000)).toHaveLength(1);
    expect(send(window, SEGMENT_END, 10_001)).toHaveLength(1);
  });

  it('go out behind many commands too, so that they are bounded', () => {
    const window = new AckWindow();
    let marks = 0;
    for (let i = 0; i < 30; i += 1) marks += send(window, command(1000)).length;
    expect(marks).toBe(1);
  });

  it('tell the samples that were written before them, not those that waited', () => {
    const window = new AckWindow();
    const marks: number[] = [];
    let frames = 0;
    while (window.waitingBytes === 0) {
      marks.push(...send(window, FRAME, (frames += 1)));
    }
    expect(window.sent).toEqual({ frames, samples: frames * 640, commands: 0 });
    expect(window.readSamples).toBe(0);
    window.answered(marks[0], frames, () => undefined);
    expect(window.readSamples).toBe(640);
    const last = window.mark(frames);
    window.answered(last, frames, () => undefined);
    // The one that waited was given to `write`, which did not write it: it counts as written all the same.
    expect(window.readSamples).toBe(frames * 640);
  });

  it('that are overdue say so until they come back', () => {
    const window = new AckWindow();
    const [mark] = send(window, FRAME, 1000);
    expect(window.overdueAtMs).toBe(1550);
    window.answered(mark, 1003, () => undefined);
    expect(window.overdueAtMs).toBeUndefined();
    expect(window.roundTrip).toMatchObject({ count: 1, lastMs: 3 });
  });

  it('give the round trip’s statistics of the last 64', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 200 }), (all) => {
        const window = new AckWindow();
        expect(window.roundTrip).toBe(undefined);
        for (const ms of all) window.answered(window.mark(100), 100 + ms, () => undefined);
        const sorted = all.slice(-64).sort((a, b) => a - b);
        expect(window.roundTrip).toEqual({
          count: all.length,
          lastMs: all.at(-1),
          minMs: sorted[0],
          medianMs: sorted[Math.floor(sorted.length / 2)],
          maxMs: sorted.at(-1),
          jitterMs: sorted[Math.floor(sorted.length * 0.95)]! - sorted[0]!,
        });
      }),
    );
  });
});
