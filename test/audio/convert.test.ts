import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { USUAL_MASKS } from '../../src/audio/downmix.js';
import { createConverter, type Converter } from '../../src/audio/convert.js';
import type { PcmBlock } from '../../src/audio/pcm.js';
import { loadSpeex } from '../../src/audio/resample.js';

const RATES = [8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 88200, 96000, 176400, 192000];

/** Interleaved sine, the same in every channel, from frame `from` on. */
function sine(
  hz: number,
  rateHz: number,
  frames: number,
  options: { amplitude?: number; channels?: number } = {},
) {
  const { amplitude = 0.5, channels = 1 } = options;
  const samples = new Float32Array(frames * channels);
  for (let i = 0; i < samples.length; i++)
    samples[i] = amplitude * Math.sin((2 * Math.PI * hz * Math.floor(i / channels)) / rateHz);
  return samples;
}

function concat(parts: Int16Array[]): Int16Array {
  const all = new Int16Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

async function convert(blocks: PcmBlock[], reused?: Converter): Promise<Int16Array> {
  const converter = reused ?? (await createConverter('test.wav'));
  try {
    // Copied, because a block that needs no change comes back as itself.
    const parts = blocks.map((block) => converter.push(block).slice());
    return concat([...parts, converter.flush()]);
  } finally {
    if (!reused) converter.close();
  }
}

/** Cuts interleaved samples at frame boundaries; `sizes` repeats. */
function cut(samples: Float32Array | Int16Array, channels: number, sampleRateHz: number, sizes: number[]) {
  const blocks: PcmBlock[] = [];
  for (let at = 0, i = 0; at < samples.length; i++) {
    const end = Math.min(samples.length, at + sizes[i % sizes.length]! * channels);
    blocks.push({ samples: samples.subarray(at, end), sampleRateHz, channels });
    at = end;
  }
  return blocks;
}

/** Power of one frequency in dB below full scale, Hann-windowed. */
function levelDb(samples: ArrayLike<number>, hz: number): number {
  let re = 0;
  let im = 0;
  for (let i = 0; i < samples.length; i++) {
    const value = (samples[i]! / 32768) * (1 - Math.cos((2 * Math.PI * (i + 0.5)) / samples.length));
    re += value * Math.cos((2 * Math.PI * hz * i) / 16000);
    im += value * Math.sin((2 * Math.PI * hz * i) / 16000);
  }
  return 20 * Math.log10((2 * Math.hypot(re, im)) / samples.length + 1e-12);
}

describe("the avatar's own format", () => {
  it('passes 16 kHz mono 16-bit bit for bit, without a copy', async () => {
    const converter = await createConverter();
    const samples = Int16Array.from({ length: 65536 }, (_, i) => i - 32768);
    expect(converter.push({ samples, sampleRateHz: 16000, channels: 1 })).toBe(samples);
    expect(converter.flush()).toHaveLength(0);
    converter.close();
  });

  it('brings every 16-bit value back from its float unchanged', async () => {
    const samples = Int16Array.from({ length: 65536 }, (_, i) => i - 32768);
    const floats = Float32Array.from(samples, (value) => value / 32768);
    expect(await convert([{ samples: floats, sampleRateHz: 16000, channels: 1 }])).toEqual(samples);
  });

  it('averages two equal 16-bit channels to the same samples', async () => {
    const samples = Int16Array.from({ length: 20000 }, (_, i) => (i >> 1) * 7 - 32768);
    const mono = await convert([{ samples, sampleRateHz: 16000, channels: 2 }]);
    expect(mono).toEqual(samples.filter((_, i) => i % 2 === 0));
  });
});

describe('length', () => {
  it.each(RATES)('is right to the sample at %i Hz', async (rateHz) => {
    for (const frames of [1, 2, 37, 1000, rateHz, rateHz + 1, Math.round(rateHz * 1.2345)]) {
      const out = await convert(cut(sine(440, rateHz, frames), 1, rateHz, [frames]));
      expect(out).toHaveLength(Math.round((frames * 16000) / rateHz));
    }
  });

  it('does not add up roundings over many changes of rate', async () => {
    const blocks = Array.from({ length: 60 }, (_, i) => {
      const sampleRateHz = RATES[i % RATES.length]!;
      return { samples: sine(300, sampleRateHz, 333 + i), sampleRateHz, channels: 1 };
    });
    const exact = blocks.reduce((sum, b) => sum + (b.samples.length * 16000) / b.sampleRateHz, 0);
    expect(Math.abs((await convert(blocks)).length - exact)).toBeLessThanOrEqual(1);
  });

  it('holds the end of the sound, not silence in its place', async () => {
    // A burst in the last two milliseconds, which the filter still holds when the input ends.
    const samples = new Float32Array(48000);
    samples.set(sine(1000, 48000, 96), 48000 - 96);
    const out = await convert([{ samples, sampleRateHz: 48000, channels: 1 }]);
    expect(Math.max(...out.subarray(16000 - 32))).toBeGreaterThan(8000);
  });
});

describe('chunking', () => {
  it('makes no difference to the output', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...RATES),
        fc.integer({ min: 1, max: 6 }),
        fc.boolean(),
        fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 8 }),
        async (rateHz, channels, asInt16, sizes) => {
          const floats = sine(700, rateHz, 4001, { channels });
          const samples = asInt16 ? Int16Array.from(floats, (value) => value * 32767) : floats;
          const whole = await convert(cut(samples, channels, rateHz, [4001]));
          expect(await convert(cut(samples, channels, rateHz, sizes))).toEqual(whole);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('of one sample makes no difference either', async () => {
    for (const rateHz of [8000, 44100, 48000]) {
      const samples = sine(700, rateHz, 3000, { channels: 2 });
      const whole = await convert(cut(samples, 2, rateHz, [3000]));
      expect(await convert(cut(samples, 2, rateHz, [1]))).toEqual(whole);
    }
  });

  it('keeps a change of channels seamless, since the resampler runs behind the downmix', async () => {
    const mono = sine(500, 48000, 9600);
    const stereo = sine(500, 48000, 9600, { channels: 2 });
    const mixed = await convert([
      { samples: mono.subarray(0, 4801), sampleRateHz: 48000, channels: 1 },
      { samples: stereo.subarray(4801 * 2), sampleRateHz: 48000, channels: 2 },
    ]);
    expect(mixed).toEqual(await convert([{ samples: mono, sampleRateHz: 48000, channels: 1 }]));
  });
});

describe('a change of format', () => {
  it('loses nothing of either side', async () => {
    const before = [{ samples: sine(500, 48000, 4800), sampleRateHz: 48000, channels: 1 }];
    const int16 = Int16Array.from({ length: 1000 }, (_, i) => i * 31);
    for (const after of [
      [{ samples: int16, sampleRateHz: 16000, channels: 1 }],
      [{ samples: sine(300, 44100, 4410), sampleRateHz: 44100, channels: 1 }],
    ]) {
      const apart = concat([await convert(before), await convert(after)]);
      expect(await convert([...before, ...after])).toEqual(apart);
    }
  });

  it('weighs the channels anew', async () => {
    const three = { samples: new Int16Array(3).fill(900), sampleRateHz: 16000, channels: 3 };
    const six = { samples: new Int16Array(6).fill(900), sampleRateHz: 16000, channels: 6 };
    expect(await convert([three, six, three])).toEqual(Int16Array.of(1350, 2700, 1350));
  });
});

describe('quality', () => {
  it.each([8000, 22050, 44100, 48000, 96000])(
    'keeps a 1 kHz tone clean and in place from %i Hz',
    async (rateHz) => {
      const out = await convert([{ samples: sine(1000, rateHz, rateHz), sampleRateHz: rateHz, channels: 1 }]);
      let error = 0;
      let signal = 0;
      // The edges ring, as at any cut-off sound.
      for (let i = 400; i < 15600; i++) {
        const ideal = 16384 * Math.sin((2 * Math.PI * 1000 * i) / 16000);
        error += (out[i]! - ideal) ** 2;
        signal += ideal ** 2;
      }
      // 16 bits allow 92 dB at this level.
      expect(10 * Math.log10(signal / error)).toBeGreaterThan(88);
    },
  );

  it('suppresses what 16 kHz cannot hold', async () => {
    const samples = sine(10_000, 48_000, 96_000, { amplitude: 0.9 });
    const out = await convert([{ samples, sampleRateHz: 48_000, channels: 1 }]);
    expect(levelDb(out.subarray(8000, 24000), 6000)).toBeLessThan(-90);
    expect(out.subarray(8000, 24000).every((value) => Math.abs(value) <= 1)).toBe(true);
  });

  const LFE = 0x8;
  const masks = fc.uniqueArray(fc.integer({ min: 0, max: 17 }), { minLength: 1, maxLength: 8 });

  async function heardDb(
    channels: number,
    channel: number,
    channelMask: number | undefined,
  ): Promise<number> {
    const tone = sine(400, 16_000, 4800, { amplitude: 0.4 });
    const samples = new Float32Array(tone.length * channels);
    tone.forEach((value, i) => (samples[i * channels + channel] = value));
    const out = await convert([{ samples, sampleRateHz: 16_000, channels, channelMask }]);
    const power = (values: Iterable<number>): number =>
      [...values].reduce((sum, value) => sum + value ** 2, 0);
    return 10 * Math.log10(power(Float64Array.from(out, (value) => value / 32_768)) / power(tone));
  }

  it('hears a voice in any one speaker of any layout within 7 dB, and no LFE beside others', async () => {
    await fc.assert(
      fc.asyncProperty(masks, fc.nat(), async (bits, seed) => {
        const sorted = bits.sort((x, y) => x - y);
        const mask = sorted.reduce((sum, bit) => sum | (1 << bit), 0);
        const channel = seed % sorted.length;
        const db = await heardDb(sorted.length, channel, mask);
        if (1 << sorted[channel]! === LFE && sorted.length > 1) expect(db).toBe(-Infinity);
        else expect(Math.abs(db)).toBeLessThan(7);
      }),
      { numRuns: 300 },
    );
  });

  it('hears every channel where nobody says which speaker it is for, or fewer than there are', async () => {
    for (let channels = 1; channels <= 8; channels++)
      for (let channel = 0; channel < channels; channel++)
        for (const mask of [undefined, 0, 0x3])
          expect(Math.abs(await heardDb(channels, channel, mask))).toBeLessThan(7);
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])('knows the usual layout of %i channels', async (channels) => {
    const mask = USUAL_MASKS[channels]!;
    const levels = await Promise.all(
      Array.from({ length: channels }, (_, channel) => heardDb(channels, channel, mask)),
    );
    expect(levels.filter((db) => db === -Infinity)).toHaveLength(channels > 5 ? 1 : 0);
    if (channels > 5) expect(levels[3]).toBe(-Infinity);
    if (channels > 2 && channels !== 4) expect(levels[2]).toBeCloseTo(0, 1);
    if (channels > 2) expect(levels[0]).toBeCloseTo(-3, 1);
  });

  it('turns a sum down that would exceed full scale, in any chunking', async () => {
    const samples = new Float32Array(6 * 16_000).fill(0.9);
    for (let i = 0; i < samples.length; i++) samples[i]! *= Math.sin(Math.floor(i / 6) / 5);
    const block = { sampleRateHz: 16_000, channels: 6, channelMask: USUAL_MASKS[6] };
    const whole = await convert([{ ...block, samples }]);
    const clipped = whole.filter((value) => Math.abs(value) >= 32_767).length;
    // Without it six of seven would be.
    expect(clipped / whole.length).toBeLessThan(0.05);
    expect(Math.max(...whole)).toBeGreaterThan(30_000);
    const halves = await convert([
      { ...block, samples: samples.subarray(0, 6 * 777) },
      { ...block, samples: samples.subarray(6 * 777) },
    ]);
    expect(halves).toEqual(whole);
  });
});

describe('loud and broken samples', () => {
  it.each([16000, 44100, 48000])('clamps at %i Hz and never wraps', async (rateHz) => {
    const samples = sine(200, rateHz, rateHz / 4, { amplitude: 3 });
    const out = await convert([{ samples, sampleRateHz: rateHz, channels: 1 }]);
    expect(Math.max(...out)).toBe(32767);
    expect(Math.min(...out)).toBe(-32768);
    for (let i = 200; i < out.length - 200; i++) {
      const ideal = Math.sin((2 * Math.PI * 200 * i) / 16000);
      if (Math.abs(ideal) > 0.5) expect(Math.sign(out[i]!)).toBe(Math.sign(ideal));
    }
  });

  it.each([
    ['NaN', NaN],
    ['Infinity', -Infinity],
    ['a value no recording has', 1e20],
  ])('refuses %s and names the sound', async (_name, bad) => {
    for (const sampleRateHz of [16000, 48000]) {
      const samples = new Float32Array(4800);
      samples[2400] = bad;
      await expect(convert([{ samples, sampleRateHz, channels: 1 }])).rejects.toMatchObject({
        code: 'SOUND_BROKEN',
        message: expect.stringContaining('test.wav') as string,
      });
    }
  });

  it.each([
    { sampleRateHz: 0, channels: 1 },
    { sampleRateHz: NaN, channels: 1 },
    { sampleRateHz: 1e9, channels: 1 },
    { sampleRateHz: 44100.5, channels: 1 },
    { sampleRateHz: 16000, channels: 0 },
    { sampleRateHz: 16000, channels: 3 },
  ])('refuses a block of $channels channels at $sampleRateHz Hz', async (format) => {
    await expect(convert([{ samples: new Int16Array(4), ...format }])).rejects.toMatchObject({
      code: 'SOUND_BROKEN',
    });
  });
});

describe('the life of a converter', () => {
  it('is as new after a flush', async () => {
    const converter = await createConverter();
    const blocks = cut(sine(440, 44100, 5000), 1, 44100, [777]);
    const first = await convert(blocks, converter);
    expect(await convert(blocks, converter)).toEqual(first);
    converter.close();
  });

  it('refuses to work once closed, and closes twice', async () => {
    const converter = await createConverter();
    converter.close();
    converter.close();
    expect(() => converter.push({ samples: new Int16Array(1), sampleRateHz: 16000, channels: 1 })).toThrow(
      /closed/,
    );
    expect(() => converter.flush()).toThrow(/closed/);
  });

  it('gives its memory back: thousands of streams do not grow the heap', async () => {
    const { module } = await loadSpeex();
    const samples = sine(440, 44100, 500);
    const round = async (count: number): Promise<void> => {
      const converters = await Promise.all(Array.from({ length: count }, () => createConverter()));
      for (const converter of converters) converter.push({ samples, sampleRateHz: 44100, channels: 1 });
      for (const converter of converters) converter.close();
    };
    await round(1000);
    const bytes = module.HEAPF32.buffer.byteLength;
    for (let i = 0; i < 5; i++) await round(1000);
    expect(module.HEAPF32.buffer.byteLength).toBe(bytes);
    expect(bytes / 1000).toBeLessThan(64 * 1024);
  });

  it('is exact while the shared heap grows under other streams', async () => {
    const samples = sine(440, 44100, 20_000);
    const blocks = cut(samples, 1, 44100, [1000]);
    const alone = await convert(blocks);
    const converter = await createConverter();
    const others: Converter[] = [];
    const parts: Int16Array[] = [];
    for (const block of blocks) {
      parts.push(converter.push(block));
      for (let i = 0; i < 200; i++) {
        const other = await createConverter();
        other.push({ samples: new Float32Array(10), sampleRateHz: 192_000, channels: 1 });
        others.push(other);
      }
    }
    parts.push(converter.flush());
    for (const other of [converter, ...others]) other.close();
    expect(concat(parts)).toEqual(alone);
  });
});
