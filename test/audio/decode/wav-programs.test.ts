import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { decodeWav } from '../../../src/audio/decode/wav.js';
import { decodeSound } from '../../../src/audio/probe.js';
import { run, temporaryFolder } from '../../support/codecs.js';
import { describeWith } from '../../support/needs.js';
import { inProject } from '../../support/paths.js';
import { notingContext } from '../../support/sound-context.js';
import { collect, joinBlocks, pieces } from '../../support/sound.js';

const hello = inProject('samples/hello.wav');
const folder = await temporaryFolder();

async function decode(bytes: Uint8Array) {
  const context = notingContext();
  const blocks = await collect(decodeWav(pieces(bytes, [3000, 1, 77]), 'test.wav', context));
  expect(context.warnings).toEqual([]);
  return { ...joinBlocks(blocks), info: context.infos[0]! };
}

/** What another program makes of the same file, as floats. */
async function reference(path: string, program: 'ffmpeg' | 'sox' = 'ffmpeg'): Promise<Float32Array> {
  const raw = await (program === 'ffmpeg'
    ? run('ffmpeg', ['-v', 'error', '-i', path, '-f', 'f32le', '-'])
    : run('sox', [path, '-t', 'f32', '-L', '-']));
  return new Float32Array(raw.buffer.slice(raw.byteOffset, raw.byteOffset + raw.length));
}

function expectEqual(ours: Float32Array | Int16Array, theirs: Float32Array): void {
  expect(ours).toHaveLength(theirs.length);
  const scale = ours instanceof Int16Array ? 1 / 32768 : 1;
  let worst = 0;
  for (let i = 0; i < theirs.length; i++) worst = Math.max(worst, Math.abs(ours[i]! * scale - theirs[i]!));
  expect(worst).toBeLessThan(1e-7);
}

await describeWith(['sox', 'ffmpeg'], 'files that sox makes', () => {
  it.each([
    ['8-bit PCM', ['-b', '8']],
    ['16-bit PCM', ['-b', '16', '-c', '2', '-r', '44100']],
    ['24-bit PCM', ['-b', '24', '-c', '3']],
    ['32-bit PCM', ['-b', '32']],
    ['32-bit float', ['-e', 'float', '-b', '32']],
    ['64-bit float', ['-e', 'float', '-b', '64']],
    ['A-law', ['-e', 'a-law']],
    ['mu-law', ['-e', 'mu-law']],
    ['16-bit PCM', ['-B', '-b', '16']],
    ['24-bit PCM', ['-B', '-b', '24']],
    ['32-bit float', ['-B', '-e', 'float', '-b', '32']],
  ])('%s, %j', async (name, options) => {
    const path = join(folder, `sox${options.join('')}.wav`);
    await run('sox', ['-R', hello, ...options, path]);
    const heard = await decode(readFileSync(path));
    expect(heard.info.format).toBe(`WAV, ${name}`);
    // ffmpeg takes the samples of RIFX for little endian.
    expectEqual(heard.samples, await reference(path, options.includes('-B') ? 'sox' : 'ffmpeg'));
  });

  it('written to a pipe, with a length that it does not know', async () => {
    const piped = await run('sox', ['-R', hello, '-t', 'wav', '-']);
    const heard = await decode(piped);
    expectEqual(heard.samples, await reference(hello));
  });
});

await describeWith(['ffmpeg'], 'files that ffmpeg makes', () => {
  it.each([
    ['8-bit PCM', ['-c:a', 'pcm_u8']],
    ['16-bit PCM', ['-c:a', 'pcm_s16le', '-ac', '6']],
    ['24-bit PCM', ['-c:a', 'pcm_s24le', '-ac', '2']],
    ['32-bit PCM', ['-c:a', 'pcm_s32le']],
    ['32-bit float', ['-c:a', 'pcm_f32le', '-ar', '192000']],
    ['64-bit float', ['-c:a', 'pcm_f64le']],
    ['A-law', ['-c:a', 'pcm_alaw', '-ar', '8000']],
    ['mu-law', ['-c:a', 'pcm_mulaw', '-ar', '8000']],
    ['16-bit PCM', ['-rf64', 'always']],
    [
      '16-bit PCM',
      ['-write_bext', '1', '-metadata', 'title=a title of odd length', '-metadata', 'description=x'],
    ],
  ])('%s, %j', async (name, options) => {
    const path = join(folder, `ffmpeg${options.join('').replace(/\W/g, '')}.wav`);
    await run('ffmpeg', ['-v', 'error', '-y', '-i', hello, ...options, path]);
    const heard = await decode(readFileSync(path));
    expect(heard.info.format).toBe(`WAV, ${name}`);
    expectEqual(heard.samples, await reference(path));
  });

  it('written to a pipe, with a length that it does not know', async () => {
    const piped = await run('ffmpeg', ['-v', 'error', '-i', hello, '-f', 'wav', '-']);
    const heard = await decode(piped);
    expect(heard.info.durationMs).toBeUndefined();
    expectEqual(heard.samples, await reference(hello));
  });

  it.each(['adpcm_ima_wav', 'adpcm_ms', 'libmp3lame'])(
    'of %s inside, which ffmpeg decodes too',
    async (codec) => {
      const path = join(folder, `${codec}.wav`);
      await run('ffmpeg', ['-v', 'error', '-y', '-i', hello, '-c:a', codec, path]);
      const chunks = pieces(readFileSync(path), [50, 4000]);
      const { samples, sampleRateHz } = joinBlocks(
        await collect(decodeSound(chunks, 'test.wav', notingContext())),
      );
      const seconds = samples.length / sampleRateHz;
      expect(Math.abs(seconds - (await reference(hello)).length / 22_050)).toBeLessThan(0.1);
    },
  );

  it.each(['alaw', 'mulaw'])('agrees on every code of %s', async (law) => {
    const codes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    const path = join(folder, `${law}.wav`);
    await run(
      'ffmpeg',
      ['-v', 'error', '-y', '-f', law, '-ar', '8000', '-i', '-', '-c', 'copy', path],
      codes,
    );
    expectEqual((await decode(readFileSync(path))).samples, await reference(path));
  });
});

await describeWith(['espeak-ng'], 'the voice of espeak-ng', () => {
  it('is read from its pipe to the end', async () => {
    const heard = await decode(await run('espeak-ng', ['--stdout', 'Hello']));
    expect(heard).toMatchObject({ sampleRateHz: 22_050, channels: 1 });
    expect(heard.samples.length).toBeGreaterThan(22_050 / 4);
  });
});
