import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SendWindow } from '../../src/transport/send-window.js';

const LIMIT = 65_536;

describe('the window of what is under way', () => {
  it('never holds more than its limit, always lets one unit through, and always has a mark under way to open it', () => {
    fc.assert(
      fc.property(
        // Answers are few, so that the window is filled to its limit time and again.
        fc.array(
          fc.oneof(
            { arbitrary: fc.integer({ min: 1, max: 8000 }), weight: 9 },
            { arbitrary: fc.constant('answer' as const), weight: 1 },
          ),
          { minLength: 50, maxLength: 200 },
        ),
        (steps) => {
          const window = new SendWindow();
          const marks: Uint8Array[] = [];
          for (const step of steps) {
            if (step === 'answer') {
              const mark = marks.shift();
              if (mark) expect(window.answered(mark)).toBe(true);
              continue;
            }
            if (!window.hasRoom(step)) {
              expect(marks.length).toBeGreaterThan(0);
              continue;
            }
            window.sent(step);
            const due = window.dueMark();
            if (due) {
              marks.push(due);
              window.marked(due);
            }
            expect(window.underWayBytes).toBeLessThanOrEqual(LIMIT + 200);
          }
          for (const mark of marks) window.answered(mark);
          expect(window.underWayBytes).toBeLessThan(LIMIT / 4);
          expect(window.hasRoom(8000)).toBe(true);
        },
      ),
    );
  });

  it('lets nothing more in when it is full, and takes nothing back for an answer that was overtaken', () => {
    const window = new SendWindow();
    const [first, second] = [Buffer.from('mark-1'), Buffer.from('mark-2')];
    window.sent(1000);
    window.marked(first);
    while (window.hasRoom(1287)) window.sent(1287);
    expect(window.underWayBytes).toBeGreaterThan(LIMIT - 1500);
    expect(window.underWayBytes).toBeLessThanOrEqual(LIMIT);
    window.marked(second);
    window.answered(second);
    expect(window.underWayBytes).toBe(0);
    window.answered(first);
    expect(window.underWayBytes).toBe(0);
  });

  it('takes anybody’s mark for an answer, and leaves it to them', () => {
    const window = new SendWindow();
    window.sent(1000);
    window.marked(Buffer.from('mark-1'));
    window.sent(500);
    expect(window.answered(Buffer.from('mark-1'))).toBe(false);
    expect(window.underWayBytes).toBe(500 + 64);
  });

  it('is not opened by the answer to a mark of another process', () => {
    const window = new SendWindow();
    window.sent(1000);
    window.marked(Buffer.from('mark-1'));
    expect(window.answered(Buffer.from('window-9'))).toBe(true);
    expect(window.answered(Buffer.from('mark-7'))).toBe(false);
    expect(window.underWayBytes).toBeGreaterThan(1000);
  });

  it('sends few marks of its own while sound is paced: the speech’s marks are enough', () => {
    const window = new SendWindow();
    let own = 0;
    for (let frame = 0; frame < 1000; frame += 1) {
      window.sent(1287);
      if (window.dueMark()) own += 1;
      if (frame % 5 === 4) {
        window.marked(Buffer.from(`mark-${frame}`));
        window.answered(Buffer.from(`mark-${frame}`));
      }
    }
    expect(own).toBe(0);
  });
});
