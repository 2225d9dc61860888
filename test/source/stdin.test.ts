import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { stdinSound } from '../../src/source/stdin.js';
import { noise } from '../support/signals.js';
import { notingContext } from '../support/sound-context.js';
import { wavFile } from '../support/wav.js';

describe('stdinSound', () => {
  it('speaks what is piped in while it comes, by any known format', async () => {
    const bytes = wavFile({ data: new Uint8Array(noise(4000, 5000).buffer) });
    const input = new Readable({ read: () => undefined });
    const sound = stdinSound({ input });
    expect(sound).toMatchObject({ label: 'standard input', live: false });
    input.push(bytes.subarray(0, 2000));
    let samples = 0;
    for await (const block of sound.open(notingContext())) {
      if (samples === 0) input.push(bytes.subarray(2000));
      samples += block.samples.length;
      if (samples === 4000) input.push(null);
    }
    expect(samples).toBe(4000);
  });

  it('takes headerless data when its form is told', async () => {
    const input = Readable.from([Buffer.from([1, 0, 2, 0])]);
    const raw = { encoding: 's16le', sampleRateHz: 16_000, channels: 1 } as const;
    const heard: number[] = [];
    for await (const { samples } of stdinSound({ input, raw }).open(notingContext())) heard.push(...samples);
    expect(heard).toEqual([1, 2]);
  });

  it('says that a terminal gives no sound, rather than waiting for it', () => {
    const input = Object.assign(new Readable({ read: () => undefined }), { isTTY: true });
    expect(() => stdinSound({ input })).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }));
  });
});
