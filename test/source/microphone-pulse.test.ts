import { afterAll, beforeAll, expect, it } from 'vitest';
import { createConverter } from '../../src/audio/convert.js';
import { listRecorders } from '../../src/source/devices.js';
import { microphoneSound } from '../../src/source/microphone.js';
import { RECORDERS } from '../../src/source/recorders/table.js';
import { describeWith } from '../support/needs.js';
import { PULSE_PROGRAMS, type PulseServer, startPulse } from '../support/pulse.js';
import { concat, findSound, softNoise } from '../support/signals.js';
import { notingContext } from '../support/sound-context.js';

/** On a machine without time to spare the sound server itself may stutter: that is not what is tested. */
const AGAIN = { retry: 2 };

const SIGNAL = softNoise(24_000, 8000);

/** How much each 100 ms of what was heard is like the signal that plays over and over, aligned once in the middle. */
function compareToLoop(heard: Int16Array): number[] {
  const loop = concat([SIGNAL, SIGNAL]);
  const middle = heard.length >> 1;
  const { at } = findSound(heard.subarray(middle, middle + 1600), loop);
  const likenesses: number[] = [];
  for (let from = 1600; from + 1600 <= heard.length; from += 1600) {
    const there = (at + from - middle + 2 * SIGNAL.length) % SIGNAL.length;
    // Only there, or a sample beside it: a lost sample anywhere would show from then on.
    const around = loop.subarray(Math.max(0, there - 1), there + 1601);
    likenesses.push(findSound(heard.subarray(from, from + 1600), around).likeness);
  }
  return likenesses;
}

await describeWith(
  [...PULSE_PROGRAMS, 'arecord', 'sox', 'ffmpeg'],
  'a microphone of a real PulseAudio',
  () => {
    let pulse: PulseServer;
    beforeAll(async () => {
      pulse = await startPulse();
      process.env.AUDIODRIVER = 'pulseaudio';
      pulse.play(SIGNAL);
    });
    afterAll(() => {
      delete process.env.AUDIODRIVER;
      return pulse.stop();
    });

    it.concurrent.each([
      ['parec', undefined],
      ['parec', 'bridge_test.monitor'],
      ['arecord', 'pulse'],
      ['sox', undefined],
      ['rec', 'bridge_test.monitor'],
      ['ffmpeg', 'bridge_test.monitor'],
    ] as const)(
      '%s (device %s) gives the sound that is played, without a gap',
      AGAIN,
      async (recorder, device) => {
        const context = notingContext();
        const sound = microphoneSound({ recorder, ...(device === undefined ? {} : { device }) });
        const converter = await createConverter();
        const heard: Int16Array[] = [];
        let samples = 0;
        for await (const block of sound.open(context)) {
          expect(block).toMatchObject({ sampleRateHz: 48_000, channels: 1 });
          heard.push(converter.push(block).slice());
          samples += heard.at(-1)!.length;
          if (samples >= 32_000) break;
        }
        converter.close();
        const likenesses = compareToLoop(concat(heard));
        expect(likenesses.length).toBeGreaterThanOrEqual(15);
        expect(Math.min(...likenesses)).toBeGreaterThan(0.97);
        expect(sound).toMatchObject({ recorder, droppedMs: 0 });
        expect(context.warnings).toEqual([]);
      },
    );

    it('comes in small pieces from every recorder: none holds sound back for long', async () => {
      await Promise.all(
        (['parec', 'arecord', 'sox', 'ffmpeg'] as const).map(async (recorder) => {
          const device = recorder === 'arecord' ? 'pulse' : undefined;
          const sound = microphoneSound({ recorder, ...(device === undefined ? {} : { device }) });
          const pieces: number[] = [];
          let blocks = 0;
          for await (const { samples } of sound.open(notingContext())) {
            // The first ones may be what gathered while it started.
            if (++blocks > 10) pieces.push(samples.length);
            if (blocks === 50) break;
          }
          // 4,096 bytes are the smallest step of SoX's output; its bursts without our settings hold 65,536. A piece now
          // and then is longer where this process was held up itself.
          pieces.sort((a, b) => a - b);
          expect(pieces[Math.floor(pieces.length * 0.9)], recorder).toBeLessThanOrEqual(3 * 2048);
          expect(pieces.at(-1), recorder).toBeLessThan(32_768);
        }),
      );
    });

    it('fails with the words of the recorder for a device that is not there', async () => {
      for (const recorder of ['parec', 'arecord', 'sox', 'ffmpeg'] as const) {
        const sound = microphoneSound({ recorder, device: 'nope' });
        const opened = sound.open(notingContext())[Symbol.asyncIterator]();
        await expect(opened.next(), recorder).rejects.toMatchObject({
          code: 'RECORDER_FAILED',
          message: expect.stringMatching(
            /ended before any sound came \(status \d+\): .*(No such|nope)/,
          ) as string,
        });
      }
    });

    it('lists the devices of each recorder, with what is a monitor and what the default', async () => {
      const reports = await listRecorders(new AbortController().signal);
      const devices = (name: string) => reports.find(({ recorder }) => recorder === name)?.devices;
      const monitor = {
        id: 'bridge_test.monitor',
        description: 'Monitor of Null Output',
        isDefault: true,
        isMonitor: true,
      };
      expect(devices('parec')).toEqual([monitor]);
      expect(devices('ffmpeg')).toEqual([monitor]);
      expect(devices('arecord')?.map(({ id }) => id)).toContain('pulse');
      expect(devices('arecord')?.[0]).toMatchObject({ id: 'default', isDefault: true });
      for (const { path, recorder } of reports)
        if (path !== undefined) expect(path).toBe(await RECORDERS[recorder].available());
    });
  },
);

await describeWith(PULSE_PROGRAMS, 'a sound server that goes away', () => {
  it('ends the microphone with a clear error in the middle of the sound', async () => {
    const pulse = await startPulse();
    pulse.play(SIGNAL);
    const sound = microphoneSound({ recorder: 'auto', noDataMs: 3000 });
    let blocks = 0;
    const listening = (async () => {
      for await (const block of sound.open(notingContext()))
        if (block.samples.length > 0 && ++blocks === 5) await pulse.stop();
    })();
    await expect(listening).rejects.toMatchObject({
      code: 'RECORDER_FAILED',
      message: expect.stringMatching(/^parec ended by itself/) as string,
    });
    expect(blocks).toBeGreaterThanOrEqual(5);
  });
});
