import { describe, expect, it } from 'vitest';
import { lazy, type SoundFormat } from '../../src/audio/decode/table.js';
import type { Decode } from '../../src/audio/pcm.js';
import { decodeSound } from '../../src/audio/probe.js';
import { concat, noise, sameSound, sine } from '../support/signals.js';
import { notingContext } from '../support/sound-context.js';
import { bytesOf, collect, joinBlocks, pieces } from '../support/sound.js';
import { wavFile } from '../support/wav.js';

const content = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i % 251));

/** A decoder that passes bytes through as 'samples', so that a test can see what reached it. */
const echo: Decode = async function* (chunks) {
  for await (const chunk of chunks)
    yield { samples: Int16Array.from(chunk), sampleRateHz: 16_000, channels: 1 };
};

const format = (name: string, matches: SoundFormat['matches'], decode = echo): SoundFormat => ({
  name,
  matches,
  decode,
});
const yes = format('yes', () => true);

describe('decodeSound', () => {
  it.each([[[300_000]], [[1]], [[63, 1, 5000]], [[4096]], [[0, 10]]])(
    'hands every byte on, in chunks of %j',
    async (sizes) => {
      const bytes = sizes[0] === 1 ? content.subarray(0, 9000) : content;
      const chunks = (async function* () {
        yield new Uint8Array(0);
        yield* pieces(
          bytes,
          sizes.filter((size) => size > 0),
        );
      })();
      const blocks = await collect(decodeSound(chunks, 'x', notingContext(), { formats: [yes] }));
      expect(Buffer.from(joinBlocks(blocks).samples as Int16Array).equals(bytes)).toBe(true);
      expect(Math.max(...blocks.map((block) => block.samples.length))).toBeLessThanOrEqual(65_536);
    },
  );

  it('lets a format ask for more bytes, and those below it wait', async () => {
    const seen: number[] = [];
    const slow = format('slow', (head) => {
      seen.push(head.length);
      return head.length < 1000 ? 'more' : true;
    });
    const never = format(
      'never',
      () => true,
      lazy(() => Promise.reject(new Error('the wrong one'))),
    );
    const chunks = pieces(content, [100]);
    await collect(decodeSound(chunks, 'x', notingContext(), { formats: [slow, never] }));
    expect(seen).toEqual([100, 200, 300, 400, 500, 600, 700, 800, 900, 1000]);
  });

  it('takes "more" for a no at 4,096 bytes and at the end', async () => {
    const greedy = format(
      'greedy',
      () => 'more',
      lazy(() => Promise.reject(new Error('the wrong one'))),
    );
    for (const bytes of [content, content.subarray(0, 70), content.subarray(0, 3)]) {
      const sound = decodeSound(pieces(bytes, [50]), 'x', notingContext(), { formats: [greedy, yes] });
      expect(joinBlocks(await collect(sound)).samples).toHaveLength(bytes.length);
    }
  });

  it('needs no more than 64 bytes to know a WAV file', async () => {
    let given = 0;
    const chunks = (async function* () {
      for (const byte of wavFile({ data: content })) {
        given += 1;
        yield Uint8Array.of(byte);
      }
    })();
    for await (const block of decodeSound(chunks, 'x', notingContext())) {
      expect(block.samples).toHaveLength(10);
      break;
    }
    expect(given).toBe(64);
  });

  it('recognises by the bytes even what is tiny', async () => {
    const bytes = wavFile({ data: Uint8Array.of(1, 0) });
    const blocks = await collect(decodeSound(pieces(bytes, [1]), 'x', notingContext()));
    expect(blocks).toEqual([{ samples: Int16Array.of(1), sampleRateHz: 16_000, channels: 1 }]);
  });

  it('reads a sound that was declared as raw as what it is, and says so', async () => {
    const raw = { encoding: 'u8', sampleRateHz: 8000, channels: 1 } as const;
    const bytes = wavFile({ data: content });
    const context = notingContext();
    const blocks = await collect(decodeSound(pieces(bytes, [1000]), 'x', context, { raw }));
    expect(joinBlocks(blocks)).toMatchObject({ sampleRateHz: 16_000 });
    expect(joinBlocks(blocks).samples).toHaveLength(content.length / 2);
    expect(context.warnings).toEqual(['x was declared as raw u8, but it is WAV: it is read as what it is.']);
    const guessed = notingContext();
    await collect(decodeSound(pieces(bytes, [1]), 'x', guessed, { raw, rawIsGuess: true }));
    expect(guessed.warnings).toEqual([]);
  });

  it('reads raw data as declared, noise too', async () => {
    const raw = { encoding: 's16le', sampleRateHz: 8000, channels: 1 } as const;
    const samples = noise(20_000, 32_000);
    const blocks = await collect(
      decodeSound(pieces(bytesOf(samples), [1, 999]), 'x', notingContext(), { raw }),
    );
    expect(sameSound(joinBlocks(blocks).samples as Int16Array, samples)).toBe(true);
  });

  it.each([
    ['audio/L16;rate=8000', 's16le', 8000, 1],
    ['audio/L16; rate=48000; channels=2', 's16be', 48_000, 2],
    ['audio/pcm;rate=22050', 's16le', 22_050, 1],
    ['Audio/X-PCM; sampleRate="44100"', 's16le', 44_100, 1],
    ['application/octet-stream', 's16le', 24_000, 1],
  ] as const)(
    'takes headerless samples for what %s says',
    async (contentType, encoding, rateHz, channels) => {
      const usual = { encoding: 's16le', sampleRateHz: 24_000, channels: 1 } as const;
      const samples = concat([new Int16Array(4000), sine(10_000, 300, 8000)]);
      const bytes = Buffer.from(bytesOf(samples));
      if (encoding === 's16be') bytes.swap16();
      const options = { contentType, raw: usual, rawIsGuess: true };
      const heard = joinBlocks(
        await collect(decodeSound(pieces(bytes, [777]), 'x', notingContext(), options)),
      );
      expect(heard).toMatchObject({ sampleRateHz: rateHz, channels });
      expect(sameSound(heard.samples as Int16Array, samples)).toBe(true);
    },
  );

  it('refuses what would be noise at full level where samples are only guessed', async () => {
    const raw = { encoding: 's16le', sampleRateHz: 8000, channels: 1 } as const;
    const options = { raw, rawIsGuess: true };
    const bytes = bytesOf(noise(5000, 32_767));
    const sound = decodeSound(pieces(bytes, [100]), 'x', notingContext(), options);
    await expect(collect(sound)).rejects.toMatchObject({ code: 'SOUND_UNKNOWN' });
  });

  it.each([
    ['nothing', '', 'SOUND_EMPTY', 'x.mp3 is empty'],
    ['an error page', '{"error":"no such voice"}\n', 'SOUND_UNKNOWN', "It says 'no such voice'"],
    ['a web page', '\uFEFF\r\n<!doctype html>\r\n<title>404', 'SOUND_UNKNOWN', "It says '404'"],
    ['Japanese', 'こんにちは。'.repeat(300), 'SOUND_UNKNOWN', "It says 'こんにちは。"],
    ['bytes', Buffer.from('7f454c4602010100ff', 'hex'), 'SOUND_UNKNOWN', 'the bytes 7f454c4602010100ff'],
    ['zeros', new Uint8Array(5000), 'SOUND_UNKNOWN', 'the bytes 00000000000000000000000000000000.'],
  ])('says what it saw of %s', async (_what, text, code, message) => {
    for (const size of [1, 17, 100_000]) {
      const chunks = pieces(Buffer.from(text as string), [size]);
      await expect(collect(decodeSound(chunks, 'x.mp3', notingContext()))).rejects.toMatchObject({
        code,
        message: expect.stringContaining(message) as string,
      });
    }
  });

  it('passes a source error on as it is', async () => {
    const reason = new Error('gone');
    const chunks = (async function* () {
      yield content.subarray(0, 10);
      throw reason;
    })();
    await expect(collect(decodeSound(chunks, 'x', notingContext()))).rejects.toBe(reason);
  });

  it.each([
    ['its blocks are no longer wanted', true],
    ['its format is not known', false],
  ])('closes the source when %s', async (_when, known) => {
    let closed = false;
    const chunks = (async function* () {
      try {
        yield* pieces(content, [100]);
      } finally {
        closed = true;
      }
    })();
    const sound = decodeSound(chunks, 'x', notingContext(), { formats: known ? [yes] : [] });
    const first = sound.next();
    if (known) await first;
    else await expect(first).rejects.toMatchObject({ code: 'SOUND_UNKNOWN' });
    await sound.return();
    expect(closed).toBe(true);
  });
});
