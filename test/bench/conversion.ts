import { createConverter } from '../../src/audio/convert.js';
import type { PcmBlock } from '../../src/audio/pcm.js';
import { loadSpeex, Resampler } from '../../src/audio/resample.js';
import { speechLikeNoise } from './load.js';
import { secondsPerCpuSecond } from './speed.js';
import type { Bench, Row } from './table.js';

const BLOCK_FRAMES = 4096;

/** How fast any PCM becomes the avatar's. */
export const conversion: Bench = {
  name: 'conversion',
  title: 'Stereo to 16 kHz mono, in seconds of sound per CPU second, against the resampler alone on mono',
  async run(quick) {
    const rows: Row[] = [];
    for (const sampleRateHz of [44_100, 48_000]) {
      const seconds = quick ? 1 : 20;
      const frames = sampleRateHz * seconds;
      const mono = Float32Array.from(noiseOf(frames), (value) => value / 32_768);
      const stereo = noiseOf(frames * 2);
      const speex = await loadSpeex();
      const bare = await secondsPerCpuSecond(seconds, quick, () => {
        const resampler = new Resampler(speex, sampleRateHz);
        const fill = (from: number, length: number, target: Float32Array): void =>
          target.set(mono.subarray(from, from + length));
        resampler.process(frames, fill, () => undefined);
        resampler.free();
      });
      for (const [kind, samples] of [
        ['16-bit', stereo],
        ['float', Float32Array.from(stereo, (value) => value / 32_768)],
      ] as const) {
        const converter = await createConverter();
        const figure = await secondsPerCpuSecond(seconds, quick, () => {
          for (const block of blocks(samples, sampleRateHz)) converter.push(block);
          converter.flush();
        });
        converter.close();
        rows.push({
          what: `${sampleRateHz / 1000} kHz ${kind} stereo`,
          figure,
          unit: 's/s',
          baseline: { what: 'resampler alone', figure: bare },
        });
      }
    }
    return rows;
  },
};

function noiseOf(samples: number): Int16Array {
  return speechLikeNoise(Math.ceil(samples / 16_000)).subarray(0, samples);
}

function* blocks(samples: Int16Array | Float32Array, sampleRateHz: number): Generator<PcmBlock> {
  for (let at = 0; at < samples.length; at += 2 * BLOCK_FRAMES) {
    yield { samples: samples.subarray(at, at + 2 * BLOCK_FRAMES), sampleRateHz, channels: 2 };
  }
}
