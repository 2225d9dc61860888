import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { createConverter } from '../../src/audio/convert.js';
import { type GateEvent, type GateOptions, VoiceGate } from '../../src/audio/gate.js';
import { bytesSound } from '../../src/source/memory.js';
import { describeWith } from '../support/needs.js';
import { concat, cut, noise, randomNumbers, sameSound, sine } from '../support/signals.js';
import { notingContext } from '../support/sound-context.js';
import fc from 'fast-check';

const MS = 16;

function run(samples: Int16Array, options: GateOptions = {}, longest = 640): GateEvent[] {
  const gate = new VoiceGate(options);
  return [...cut(samples, longest).flatMap((piece) => gate.push(piece)), ...gate.end()];
}

/** The stretches that were let through: where each began, and its sound. */
function stretches(events: readonly GateEvent[]): { from: number; to: number; samples: Int16Array }[] {
  const found: { from: number; to: number; samples: Int16Array }[] = [];
  let pieces: Int16Array[] = [];
  let from = -1;
  for (const event of events) {
    if (event.type === 'open') {
      from = event.atSample;
      pieces = [];
    } else if (event.type === 'audio') pieces.push(event.samples);
    else found.push({ from, to: event.atSample, samples: concat(pieces) });
  }
  return found;
}

/** Syllables of 150 ms with a soft onset and gaps of 80 ms between them, over the room's noise. */
function speech(ms: number, amplitude: number, roomAmplitude: number, seed = 1): Int16Array {
  const out = noise(ms * MS, roomAmplitude, seed);
  for (let i = 0; i < out.length; i++) {
    const inCycle = (i / MS) % 230;
    if (inCycle > 150) continue;
    const envelope = Math.sin((Math.PI * inCycle) / 150);
    out[i]! += Math.round(amplitude * envelope * Math.sin((2 * Math.PI * 180 * i) / 16_000));
  }
  return out;
}

describe('VoiceGate', () => {
  it('lets a voice through whole: pre-roll before it, hang-over after it', () => {
    const room = 30;
    const samples = concat([noise(3000 * MS, room), speech(2000, 8000, room, 2), noise(3000 * MS, room, 3)]);
    const [voice, ...more] = stretches(run(samples, { preRollMs: 300, hangOverMs: 700 }));
    expect(more).toEqual([]);
    // The first syllable starts at 3,000 ms; all of the pre-roll lies before the moment at which it is loud.
    expect(voice!.from / MS).toBeLessThanOrEqual(2780);
    expect(voice!.from / MS).toBeGreaterThanOrEqual(2600);
    // The last syllable ends near 4,990 ms.
    expect(voice!.to / MS).toBeGreaterThan(5500);
    expect(voice!.to / MS).toBeLessThan(5800);
    expect(voice!.samples).toEqual(samples.subarray(voice!.from, voice!.to));
  });

  it('closes between two sentences, and loses none of the second one', () => {
    const room = 30;
    const samples = concat([
      noise(1000 * MS, room),
      speech(1000, 6000, room),
      noise(1500 * MS, room),
      speech(1000, 6000, room),
      noise(1500 * MS, room),
    ]);
    const found = stretches(run(samples, { hangOverMs: 500 }));
    expect(found).toHaveLength(2);
    expect(found[1]!.from / MS).toBeLessThan(3400);
    expect(found[1]!.from).toBeGreaterThan(found[0]!.to);
  });

  it('stays closed for clicks, hum, an offset, hiss below its minimum and digital silence', () => {
    const clicks = noise(4000 * MS, 20);
    for (let i = 500 * MS; i < clicks.length; i += 700 * MS) clicks.fill(20_000, i, i + 10 * MS);
    expect(run(clicks)).toEqual([]);
    const hum = sine(4000 * MS, 50, 300);
    expect(run(hum)).toEqual([]);
    expect(run(noise(4000 * MS, 20).map((sample) => sample + 3000))).toEqual([]);
    expect(run(noise(4000 * MS, 100))).toEqual([]);
    expect(run(new Int16Array(4000 * MS))).toEqual([]);
  });

  it('learns a loud room within seconds, and then hears a voice above it and nothing else', () => {
    const room = 800;
    const samples = concat([
      noise(8000 * MS, room, 5),
      speech(1500, 12_000, room, 6),
      noise(6000 * MS, room, 7),
    ]);
    const found = stretches(run(samples));
    const voice = found.at(-1)!;
    expect(voice.from / MS).toBeGreaterThan(7500);
    expect(voice.from / MS).toBeLessThan(7850);
    expect(voice.to / MS).toBeLessThan(10_500);
    // What it let through before it knew the room ended within its memory of 4 s and the hang-over.
    for (const early of found.slice(0, -1)) expect(early.to / MS).toBeLessThan(5500);
  });

  it('closes again when a fan starts in the middle of a voice', () => {
    const samples = concat([speech(1000, 8000, 20), noise(9000 * MS, 1200, 8)]);
    const found = stretches(run(samples));
    expect(found).toHaveLength(1);
    expect(found[0]!.to / MS).toBeLessThan(7000);
  });

  it('closes when the sound ends, with all that an open gate had taken in', () => {
    const samples = speech(1003, 8000, 20).subarray(0, 1003 * MS - 5);
    const events = run(samples);
    expect(events.at(-1)).toEqual({ type: 'close', atSample: samples.length });
    expect(stretches(events)[0]!.samples.at(-1)).toBe(samples.at(-1));
  });

  it('gives the same whatever the chunking, and only true, separate stretches of its input', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1e6 }),
        fc.integer({ min: 1, max: 3000 }),
        fc.record({
          preRollMs: fc.integer({ min: 0, max: 400 }),
          hangOverMs: fc.integer({ min: 0, max: 600 }),
        }),
        (seed, longest, options) => {
          const random = randomNumbers(seed);
          const parts = Array.from({ length: 6 }, (_, i) =>
            random() < 0.5
              ? noise(Math.floor(random() * 1200) * MS, 25, seed + i)
              : speech(Math.floor(random() * 800) + 20, 9000 * random(), 25, seed + i),
          );
          const samples = concat(parts);
          const found = stretches(run(samples, options, longest));
          const whole = stretches(run(samples, options, samples.length));
          expect(found.map(({ from, to }) => [from, to])).toEqual(whole.map(({ from, to }) => [from, to]));
          let last = 0;
          for (const { from, to, samples: sound } of found) {
            expect(from).toBeGreaterThanOrEqual(last);
            expect(sameSound(sound, samples.subarray(from, to))).toBe(true);
            last = to;
          }
        },
      ),
      { numRuns: 25 },
    );
  });
});

await describeWith(['espeak-ng'], 'VoiceGate on a voice', () => {
  it.each(['Seven ships sail away.', 'Fish.', 'He has a hat.', 'Think about it.', 'はい。'])(
    'cuts nothing off the front or the end of: %s',
    async (text) => {
      const { stdout } = spawnSync('espeak-ng', ['-v', /[a-z]/.test(text) ? 'en' : 'ja', '--stdout', text], {
        maxBuffer: 10_000_000,
      });
      const spoken: Int16Array[] = [];
      const converter = await createConverter();
      for await (const block of bytesSound(stdout).open(notingContext()))
        spoken.push(converter.push(block).slice());
      spoken.push(converter.flush());
      converter.close();
      const voice = concat(spoken);
      const isLoud = (sample: number): boolean => Math.abs(sample) > 60;
      const first = voice.findIndex(isLoud);
      const last = voice.findLastIndex(isLoud);

      const room = noise(voice.length + 5000 * MS, 30, 9);
      const lead = 3000 * MS;
      voice.forEach((sample, i) => (room[lead + i]! += sample));
      const found = stretches(run(room));
      expect(found.length).toBeGreaterThan(0);
      expect(found[0]!.from).toBeLessThanOrEqual(lead + first);
      expect(found.at(-1)!.to).toBeGreaterThanOrEqual(lead + last);
      // Silence before the voice is not sent along for long.
      expect(found[0]!.from).toBeGreaterThan(lead + first - 400 * MS);
    },
  );
});
