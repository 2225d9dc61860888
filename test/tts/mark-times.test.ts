import { describe, expect, it } from 'vitest';
import { markTimeMs, spanTimeMs } from '../../src/tts/mark-times.js';

const phonemes = (text: string) =>
  text.split(' ').map((item) => {
    const [phoneme = '', ms = ''] = item.split(':');
    return { phoneme, durationMs: Number(ms), last: true };
  });

describe('markTimeMs', () => {
  it('goes by the width of the text when only the length is known', () => {
    const at = (index: number) => markTimeMs('abcd日本', index, { durationMs: 800 });
    expect([at(0), at(2), at(4), at(5), at(6)]).toEqual([0, 200, 400, 600, 800]);
  });

  it('leaves out the silence at both ends, and finds clauses by the silence between them', () => {
    const timing = { durationMs: 2000, phonemes: phonemes('sil:100 a:300 pau:400 a:1000 sil:200') };
    const text = 'ああ、いいいい';
    expect(markTimeMs(text, 0, timing)).toBe(100);
    expect(markTimeMs(text, 3, timing)).toBe(800);
    expect(markTimeMs(text, 5, timing)).toBe(1300);
    expect(markTimeMs(text, 7, timing)).toBe(1800);
  });

  it('goes by words where the engine tells them, also when it says them otherwise', () => {
    const spans = [
      { text: 'Hello', startMs: 50, endMs: 400 },
      { text: 'doctor', startMs: 450, endMs: 800 },
      { text: 'Smith', startMs: 850, endMs: 1200 },
    ];
    const at = (text: string) =>
      markTimeMs('Hello Dr. Smith!', 'Hello Dr. Smith!'.indexOf(text), { durationMs: 1300, spans });
    expect(at('Hello')).toBe(50);
    expect(at('Smith')).toBe(850);
    expect(at('Dr')).toBeGreaterThan(400);
    expect(at('Dr')).toBeLessThan(850);
  });

  it('says nothing of a place that the words have not reached', () => {
    const spans = [{ text: 'Hello', startMs: 0, endMs: 400 }];
    expect(spanTimeMs('Hello there you', 2, spans)).toBe(160);
    expect(spanTimeMs('Hello there you', 8, spans)).toBeUndefined();
    expect(spanTimeMs('Hello', 2, [])).toBeUndefined();
  });
});
