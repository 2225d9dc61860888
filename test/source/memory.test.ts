import { readFileSync } from 'node:fs';
import { PassThrough, Readable } from 'node:stream';
import { ReadableStream } from 'node:stream/web';
import { describe, expect, it } from 'vitest';
import { bytesSound, samplesSound, streamSound } from '../../src/source/memory.js';
import { inProject } from '../support/paths.js';
import { notingContext } from '../support/sound-context.js';
import { collect, joinBlocks, pieces } from '../support/sound.js';

const hello = readFileSync(inProject('samples/hello.wav'));

describe('bytesSound', () => {
  it('speaks a file in memory, in blocks that are bounded', async () => {
    const blocks = await collect(bytesSound(hello).open(notingContext()));
    expect(joinBlocks(blocks).samples).toHaveLength((hello.length - 44) / 2);
    for (const block of blocks) expect(block.samples.length).toBeLessThanOrEqual(32_768);
  });

  it('is empty when there are no bytes', async () => {
    const sound = bytesSound(new Uint8Array(0), { label: 'upload' });
    await expect(collect(sound.open(notingContext()))).rejects.toMatchObject({
      code: 'SOUND_EMPTY',
      message: expect.stringContaining('upload') as string,
    });
  });

  it('takes headerless data when told how it is written', async () => {
    const raw = { encoding: 's16be', sampleRateHz: 8000, channels: 1 } as const;
    const heard = joinBlocks(
      await collect(bytesSound(Uint8Array.of(1, 2, 3, 4), { raw }).open(notingContext())),
    );
    expect(heard).toMatchObject({ samples: Int16Array.of(0x0102, 0x0304), sampleRateHz: 8000 });
  });
});

describe('samplesSound', () => {
  it('gives the samples as they are, without a copy', async () => {
    const samples = Float32Array.from({ length: 40_000 }, (_, i) => i / 40_000);
    const context = notingContext();
    const blocks = await collect(samplesSound(samples, 24_000, { channels: 2 }).open(context));
    expect(joinBlocks(blocks)).toMatchObject({ samples, sampleRateHz: 24_000, channels: 2 });
    expect(blocks.every((block) => block.samples.buffer === samples.buffer)).toBe(true);
    expect(context.infos).toEqual([
      { format: 'float samples', sampleRateHz: 24_000, channels: 2, durationMs: 40_000 / 48 },
    ]);
  });

  it('is empty when there are none', async () => {
    const sound = samplesSound(new Int16Array(0), 16_000);
    await expect(collect(sound.open(notingContext()))).rejects.toMatchObject({ code: 'SOUND_EMPTY' });
  });
});

/** Each kind of stream over the same chunks; `closed` tells whether it was destroyed, cancelled or returned. */
const KINDS = {
  'a Node Readable': (chunks: AsyncGenerator<Uint8Array>) => {
    const stream = Readable.from(chunks, { objectMode: false });
    return { stream, closed: () => stream.destroyed };
  },
  'a web ReadableStream': (chunks: AsyncGenerator<Uint8Array>) => {
    let cancelled = false;
    const stream = new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        const next = await chunks.next();
        if (next.done) controller.close();
        else controller.enqueue(next.value);
      },
      cancel: () => void (cancelled = true),
    });
    return { stream, closed: () => cancelled };
  },
  'an async iterable': (chunks: AsyncGenerator<Uint8Array>) => {
    let returned = false;
    const stream = {
      async *[Symbol.asyncIterator]() {
        try {
          yield* chunks;
        } finally {
          returned = true;
        }
      },
    };
    return { stream, closed: () => returned };
  },
};

describe.each(Object.entries(KINDS))('streamSound of %s', (_name, make) => {
  it('speaks it whole', async () => {
    const { stream } = make(pieces(hello, [1, 7, 4000]));
    const heard = joinBlocks(await collect(streamSound(stream).open(notingContext())));
    expect(Buffer.from(heard.samples.buffer).equals(hello.subarray(44))).toBe(true);
  });

  it('closes it when the rest is not wanted', async () => {
    const { stream, closed } = make(pieces(hello, [4000]));
    for await (const block of streamSound(stream).open(notingContext())) {
      expect(block.channels).toBe(1);
      break;
    }
    await expect.poll(closed).toBe(true);
  });

  it('says that it broke off, and why', async () => {
    const { stream } = make(
      (async function* () {
        yield hello.subarray(0, 5000);
        throw new Error('the cable is out');
      })(),
    );
    const sound = streamSound(stream, { label: 'radio' });
    await expect(collect(sound.open(notingContext()))).rejects.toMatchObject({
      code: 'SOURCE_FAILED',
      message: 'radio broke off: the cable is out',
    });
  });

  it('ends at the signal while it hangs', async () => {
    const abort = new AbortController();
    const { stream } = make(
      (async function* () {
        yield hello.subarray(0, 5000);
        await new Promise(() => undefined);
      })(),
    );
    const reading = collect(streamSound(stream).open(notingContext(abort.signal)));
    const reason = new Error('enough');
    setTimeout(() => abort.abort(reason), 20);
    await expect(reading).rejects.toBe(reason);
  });

  it('can be opened only once', async () => {
    const sound = streamSound(make(pieces(hello, [4000])).stream);
    await collect(sound.open(notingContext()));
    expect(() => sound.open(notingContext())).toThrow(/once/);
  });
});

describe('streamSound', () => {
  it('pulls: a stream that is not read on is not read out', async () => {
    let given = 0;
    const endless = (async function* () {
      yield hello.subarray(0, 40);
      yield Uint8Array.of(255, 255, 255, 255);
      for (;;) {
        given += 1;
        yield new Uint8Array(1000);
      }
    })();
    let blocks = 0;
    for await (const block of streamSound(endless).open(notingContext())) {
      expect(block.samples).toHaveLength(500);
      if (++blocks === 10) break;
    }
    expect(given).toBe(10);
  });

  it('refuses text where bytes belong', async () => {
    const stream = new PassThrough({ encoding: 'utf8' });
    stream.end('hello');
    await expect(collect(streamSound(stream).open(notingContext()))).rejects.toMatchObject({
      code: 'SOURCE_FAILED',
      message: expect.stringContaining('string where bytes belong') as string,
    });
  });
});
