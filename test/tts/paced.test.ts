import { describe, expect, it } from 'vitest';
import { paced, type PaceOptions } from '../../src/tts/paced.js';
import { scriptOf } from '../../src/tts/script.js';
import { TextSegmenter } from '../../src/tts/segmenter.js';
import { FakeClock } from '../support/fake-clock.js';

/** A writer whose pieces the test releases one by one. */
class Writer implements AsyncIterable<string> {
  readonly #waiting: ((result: IteratorResult<string>) => void)[] = [];
  pulls = 0;
  returned = false;

  write(piece: string): void {
    this.#waiting.shift()!({ done: false, value: piece });
  }

  end(): void {
    this.#waiting.shift()!({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): AsyncIterator<string> {
    return {
      next: () => {
        this.pulls++;
        return new Promise((resolve) => this.#waiting.push(resolve));
      },
      return: async () => {
        this.returned = true;
        return { done: true, value: undefined };
      },
    };
  }
}

type Cutter = (text: AsyncIterable<string>, options?: PaceOptions) => AsyncGenerator<string, void, void>;

const segments: Cutter = (text, options) => paced(text, new TextSegmenter(), options);
const script: Cutter = async function* (text, options) {
  for await (const item of scriptOf(text, options)) if (item.kind === 'segment') yield item.text;
};

function start(cut: Cutter, options: PaceOptions = {}) {
  const clock = new FakeClock();
  const writer = new Writer();
  const got: string[] = [];
  const done = (async () => {
    for await (const segment of cut(writer, { clock, ...options })) got.push(segment);
  })();
  done.catch(() => undefined);
  return { clock, writer, got, done };
}

describe.each<[string, Cutter]>([
  ['the segmenter', segments],
  ['the whole script', script],
])('a text that is being written, cut by %s', (_name, cut) => {
  it('yields each sentence as soon as it is certain, and the rest at the end', async () => {
    const { clock, writer, got, done } = start(cut);
    await clock.advance(0);
    for (const token of ['Hel', 'lo the', 're.', ' How', ' are you']) {
      writer.write(token);
      await clock.advance(20);
    }
    expect(got).toEqual(['Hello there. ']);
    writer.end();
    await done;
    expect(got).toEqual(['Hello there. ', 'How are you']);
    expect(clock.pendingTimers).toBe(0);
  });

  it('says a finished sentence after a short pause of the writer, the rest after a long one', async () => {
    const { clock, writer, got, done } = start(cut, { settleMs: 80, pauseMs: 2000 });
    await clock.advance(0);
    writer.write('元気です。');
    await clock.advance(79);
    expect(got).toEqual([]);
    await clock.advance(1);
    expect(got).toEqual(['元気です。']);
    writer.write('Now wait, so');
    await clock.advance(1999);
    expect(got).toHaveLength(1);
    await clock.advance(1);
    expect(got[1]).toBe('Now wait, ');
    writer.write('mething. ');
    await clock.advance(100);
    expect(got[2]).toBe('something. ');
    writer.end();
    await done;
    expect(got.join('')).toBe('元気です。Now wait, something. ');
  });

  it('sets no timers while the writer is silent and everything has been said', async () => {
    const { clock, writer } = start(cut);
    await clock.advance(0);
    writer.write('Done. ');
    await clock.advance(10_000);
    expect(clock.pendingTimers).toBe(0);
  });

  it('pulls no more text than who takes the segments needs', async () => {
    const writer = new Writer();
    const stream = cut(writer, { clock: new FakeClock() });
    const first = stream.next();
    writer.write('One. Two. Three. ');
    expect((await first).value).toBe('One. ');
    expect((await stream.next()).value).toBe('Two. ');
    expect(writer.pulls).toBe(1);
    await stream.return();
    expect(writer.returned).toBe(true);
  });

  it('ends at once on abort, although the writer is silent, and tells the writer', async () => {
    const abort = new AbortController();
    const { clock, writer, done } = start(cut, { signal: abort.signal });
    await clock.advance(0);
    writer.write('Half a');
    await clock.advance(10);
    abort.abort(new Error('enough'));
    await expect(done).rejects.toThrow('enough');
    expect(writer.returned).toBe(true);
    expect(clock.pendingTimers).toBe(0);
  });

  it('passes on what the writer throws', async () => {
    const broken = (async function* () {
      yield 'One. Tw';
      throw new Error('writer broke');
    })();
    const got: string[] = [];
    await expect(
      (async () => {
        for await (const segment of cut(broken)) got.push(segment);
      })(),
    ).rejects.toThrow('writer broke');
    expect(got).toEqual(['One. ']);
  });
});
