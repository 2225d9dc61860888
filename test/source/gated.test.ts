import { describe, expect, it } from 'vitest';
import type { PcmBlock, Sound } from '../../src/audio/pcm.js';
import { gatedSound } from '../../src/source/gated.js';
import { concat, findSound, noise, softNoise } from '../support/signals.js';
import { notingContext } from '../support/sound-context.js';

function soundOf(blocks: readonly PcmBlock[], live = true): Sound {
  return {
    label: 'microphone',
    live,
    async *open() {
      yield* blocks;
    },
  };
}

describe('gatedSound', () => {
  it('leaves only what is said, in the agent’s format, and tells when it begins and ends', async () => {
    const voice = softNoise(48_000, 6000);
    const samples = concat([noise(96_000, 10), voice, noise(96_000, 10), voice.subarray(0, 24_000)]);
    const blocks: PcmBlock[] = [];
    for (let at = 0; at < samples.length; at += 960)
      blocks.push({ samples: samples.subarray(at, at + 960), sampleRateHz: 48_000, channels: 1 });
    const changes: boolean[] = [];
    const sound = gatedSound(soundOf(blocks), { onChange: (open) => changes.push(open) });
    expect(sound).toMatchObject({ label: 'microphone', live: true });
    const heard: Int16Array[] = [];
    for await (const block of sound.open(notingContext())) {
      expect(block).toMatchObject({ sampleRateHz: 16_000, channels: 1 });
      heard.push(block.samples as Int16Array);
    }
    expect(changes).toEqual([true, false, true, false]);
    // 1 s and 0.5 s of voice, pre-rolls of 0.2 s, one hang-over of 0.7 s.
    const seconds = concat(heard).length / 16_000;
    expect(seconds).toBeGreaterThan(2.5);
    expect(seconds).toBeLessThan(3.0);
    // The second voice begins where the first one does: its first 100 ms are there twice.
    const all = concat(heard);
    const first = findSound(all.subarray(5500, 7100), all.subarray(16_000 * 1.5));
    expect(first.likeness).toBeGreaterThan(0.9);
  });

  it('ends its source when it is ended', async () => {
    let freed = false;
    const endless: Sound = {
      label: 'microphone',
      live: true,
      async *open() {
        try {
          for (;;) yield { samples: softNoise(320, 8000), sampleRateHz: 16_000, channels: 1 };
        } finally {
          freed = true;
        }
      },
    };
    for await (const block of gatedSound(endless).open(notingContext())) {
      expect(block.samples.length).toBeGreaterThan(0);
      break;
    }
    expect(freed).toBe(true);
  });
});
