import { readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, it, onTestFinished } from 'vitest';
import { decodeWithFfmpeg } from '../../../src/audio/decode/ffmpeg.js';
import type { Decode, SoundContext } from '../../../src/audio/pcm.js';
import { BridgeError } from '../../../src/base/errors.js';
import { decodeAll, reference, run, snrDb, temporaryFolder } from '../../support/codecs.js';
import { anySound, decoderWorkshop, expectFreedEarly } from '../../support/decoder.js';
import { fakePath } from '../../support/fake-programs.js';
import { expectHonesty } from '../../support/mutants.js';
import { describeWith } from '../../support/needs.js';

const { folder, make } = await decoderWorkshop(44_100);
// A folder of this file's own, in which no sound may be left.
const temporary = process.env.TMPDIR;
process.env.TMPDIR = await temporaryFolder();
afterAll(() => {
  if (temporary === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = temporary;
});
const stored = async (): Promise<string[]> =>
  (await readdir(tmpdir(), { recursive: true })).filter(
    (name) => !/^mmdagent-bridge-sound-[^/]*$/.test(name),
  );

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(BridgeError);
  return `${(error as BridgeError).code}: ${(error as BridgeError).message}`;
}

const path = process.env.PATH;
afterEach(() => {
  process.env.PATH = path;
});

await describeWith(['ffmpeg'], 'decodeWithFfmpeg', () => {
  it.each([
    ['index-last.m4a', 'MP4 (aac)', ['-c:a', 'aac']],
    ['index-first.m4a', 'MP4 (aac)', ['-c:a', 'aac', '-movflags', '+faststart']],
    ['lossless.m4a', 'MP4 (alac)', ['-c:a', 'alac']],
    ['stream.aac', 'AAC (aac)', ['-c:a', 'aac']],
    ['vorbis.ogg', 'Ogg (vorbis)', ['-c:a', 'libvorbis']],
    ['flac.oga', 'Ogg (flac)', ['-c:a', 'flac']],
    ['pcm.aiff', 'AIFF (pcm_s16be)', []],
    ['pcm.au', 'AU (pcm_s16be)', []],
    ['pcm.caf', 'CAF (pcm_s16le)', ['-c:a', 'pcm_s16le']],
    ['alac.caf', 'CAF (alac)', ['-c:a', 'alac']],
    ['media.wma', 'Windows Media (wmav2)', ['-c:a', 'wmav2']],
    ['sound.mka', 'Matroska (vorbis)', ['-c:a', 'libvorbis']],
    ['dolby.ac3', 'AC-3 (ac3)', []],
    ['broadcast.ts', 'MPEG transport stream (aac)', ['-c:a', 'aac']],
    ['flash.flv', 'Flash video (aac)', ['-c:a', 'aac']],
    ['adpcm.wav', 'WAV (adpcm_ima_wav)', ['-c:a', 'adpcm_ima_wav']],
    ['wavpack.wv', 'WavPack (wavpack)', []],
    ['odd.wv', 'WavPack (wavpack)', ['-ar', '12345']],
    ['low.wv', 'WavPack (wavpack)', ['-ar', '1000']],
    ['true.tta', 'True Audio (tta)', []],
    ['video.avi', 'AVI (mp3)', ['-c:a', 'libmp3lame', '-reservoir', '0']],
    ['wave64.w64', 'Sony Wave64 (pcm_s16le)', []],
    ['segment.mp4', 'MP4 (aac)', ['-c:a', 'aac', '-movflags', 'frag_keyframe+empty_moov+default_base_moof']],
  ])('gives the whole of %s, sample for sample as ffmpeg reads the file', async (name, format, options) => {
    const file = join(folder, name);
    const bytes = await make(name, ...options);
    const wanted = await reference(file, 16_000, 2);
    const uploaded = await decodeAll(decodeWithFfmpeg, bytes, 1500);
    const byPath: Decode = (chunks, label, context) => decodeWithFfmpeg(chunks, label, context, file);
    for (const heard of [uploaded, await decodeAll(byPath, bytes)]) {
      expect(heard).toMatchObject({ sampleRateHz: 16_000, channels: 2, warnings: [] });
      expect(heard.infos).toMatchObject([{ format, channels: 2 }]);
      expect(heard.samples.length).toBe(wanted.length);
      expect(snrDb(heard.samples, wanted)).toBeGreaterThan(90);
    }
    expect(await stored()).toEqual([]);
  });

  it('plays an MP4 that begins with a segment type', async () => {
    const bytes = Buffer.from(await make('styp.m4a', '-c:a', 'aac', '-movflags', '+faststart'));
    bytes.write('styp', 4, 'latin1');
    const heard = await decodeAll(decodeWithFfmpeg, bytes);
    expect(heard.samples.length / 2).toBeGreaterThan(31_900);
  });

  it('takes the sound out of a video', async () => {
    const file = join(folder, 'video.mp4');
    await run('ffmpeg', [
      ...['-v', 'error', '-y', '-f', 'lavfi', '-i', 'testsrc=size=64x64:rate=10:duration=2', '-f', 'lavfi'],
      ...['-i', 'sine=duration=2', '-c:v', 'mpeg4', '-c:a', 'aac', '-movflags', '+faststart', file],
    ]);
    const wanted = await reference(file, 16_000, 1);
    const heard = await decodeAll(decodeWithFfmpeg, await run('cat', [file]), 700);
    expect(heard.samples.length).toBe(wanted.length);
    expect(heard.warnings).toEqual([]);
  });

  it.each([
    ['a video that is longer', ['-f', 'lavfi', '-i', 'sine=duration=1']],
    ['sound that begins late', ['-itsoffset', '1.5', '-f', 'lavfi', '-i', 'sine=duration=1']],
  ])('does not call %s cut off', async (what, input) => {
    for (const type of ['mp4', 'mkv', 'avi', 'flv']) {
      const file = join(folder, `${what}.${type}`);
      await run('ffmpeg', [
        ...['-v', 'error', '-y', '-f', 'lavfi', '-i', 'testsrc=size=64x64:rate=10:duration=4', ...input],
        ...[
          '-map',
          '0:v',
          '-map',
          '1:a',
          ...(type === 'flv' ? [] : ['-c:v', 'mpeg4']),
          '-c:a',
          'libmp3lame',
          file,
        ],
      ]);
      const heard = await decodeAll(anySound, await readFile(file));
      expect([type, heard.warnings]).toEqual([type, []]);
    }
    const late = join(folder, `${what}.mka`);
    await run('ffmpeg', ['-v', 'error', '-y', ...input, '-c:a', 'aac', '-output_ts_offset', '1', late]);
    expect((await decodeAll(anySound, await readFile(late))).warnings).toEqual([]);
  });

  it('warns of Vorbis that is cut in half, and not of links that follow one another', async () => {
    const bytes = await make('half.ogg', '-c:a', 'libvorbis', '-page_duration', '200000');
    const half = await decodeAll(anySound, bytes.subarray(0, bytes.length / 2));
    expect(half.warnings).toEqual(['the sound is cut off: it has no last page.']);
    const chain = Buffer.concat([bytes, await make('next.ogg', '-c:a', 'libvorbis', '-t', '1')]);
    const heard = await decodeAll(anySound, chain);
    expect(heard.warnings).toEqual([]);
    expect(heard.samples.length / 2).toBeGreaterThan(47_000);
  });

  it('says that a video without sound has none', async () => {
    const file = join(folder, 'silent.mp4');
    await run('ffmpeg', [
      ...['-v', 'error', '-y', '-f', 'lavfi', '-i', 'testsrc=size=64x64:rate=10:duration=1'],
      ...['-c:v', 'mpeg4', '-movflags', '+faststart', file],
    ]);
    const work = decodeAll(decodeWithFfmpeg, await run('cat', [file]));
    expect(await codeOf(work)).toMatch(/^SOUND_EMPTY: the sound is MP4 without any sound/);
  });

  it('warns when the sound ends before the length that its head claims', async () => {
    const bytes = await make('cut.m4a', '-c:a', 'aac', '-movflags', '+faststart');
    const heard = await decodeAll(decodeWithFfmpeg, bytes.subarray(0, bytes.length / 2));
    expect(heard.warnings.join()).toMatch(/the sound is cut off: \d+ ms/);
    expect(heard.samples.length).toBeGreaterThan(8000);
  });

  it('fails with what ffmpeg says when nothing of it can be decoded', async () => {
    const bytes = await make('nothing.m4a', '-c:a', 'aac', '-movflags', '+faststart');
    const work = decodeAll(decodeWithFfmpeg, bytes.subarray(0, 600));
    expect(await codeOf(work)).toMatch(
      /^SOUND_BROKEN: the sound \(MP4\) could not be decoded: ffmpeg says "/,
    );
  });

  it('is honest about damaged files', async () => {
    for (const [name, options] of [
      ['m1.m4a', ['-c:a', 'aac', '-movflags', '+faststart']],
      ['m2.ogg', ['-c:a', 'libvorbis']],
      ['m3.aiff', ['-ar', '8000', '-ac', '1']],
    ] as const) {
      const bytes = await make(name, '-t', '1', ...options);
      await expectHonesty(decodeWithFfmpeg, bytes, 12);
    }
  });

  it('refuses what it does not know without asking ffmpeg to guess', async () => {
    const playlist = Buffer.from('#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n');
    expect(await codeOf(decodeAll(decodeWithFfmpeg, playlist))).toMatch(/^SOUND_UNKNOWN/);
    expect(await codeOf(decodeAll(decodeWithFfmpeg, new Uint8Array(0)))).toMatch(/^SOUND_UNKNOWN/);
  });

  it('says how to get ffmpeg where there is none', async () => {
    onTestFinished(fakePath({}));
    const work = decodeAll(decodeWithFfmpeg, Buffer.from('FORM\0\0\0\x20AIFFCOMM'));
    expect(await codeOf(work)).toBe(
      'FFMPEG_MISSING: the sound is AIFF audio, which needs the program ffmpeg, and there is no ffmpeg on the PATH.',
    );
  });

  it('frees the source when nobody wants the rest', async () => {
    for (const options of [[], ['-movflags', '+faststart']]) {
      const bytes = await make('early.m4a', '-c:a', 'aac', ...options);
      await expectFreedEarly(decodeWithFfmpeg, bytes);
      expect(await stored()).toEqual([]);
    }
  });

  it('ends with the reason when it is aborted while the source hangs', async () => {
    const bytes = await make('hang.aac', '-c:a', 'aac');
    const abort = new AbortController();
    const source = (async function* () {
      yield bytes.subarray(0, 8000);
      await new Promise((_, reject) =>
        abort.signal.addEventListener('abort', () => reject(new Error('gone'))),
      );
    })();
    const context: SoundContext = { signal: abort.signal, info: () => undefined, warn: () => undefined };
    const work = (async () => {
      for await (const block of decodeWithFfmpeg(source, 'x', context))
        if (block.samples.length > 0) abort.abort(new Error('stopped'));
    })();
    await expect(work).rejects.toThrow('stopped');
  });

  it('passes the failure of the source on', async () => {
    const bytes = await make('fail.aac', '-c:a', 'aac');
    const source = (async function* () {
      yield bytes.subarray(0, 8000);
      throw new BridgeError('SOURCE_FAILED', 'The address broke off.');
    })();
    const context: SoundContext = {
      signal: new AbortController().signal,
      info: () => undefined,
      warn: () => undefined,
    };
    const work = (async () => {
      for await (const block of decodeWithFfmpeg(source, 'x', context)) expect(block.channels).toBe(2);
    })();
    await expect(work).rejects.toThrow('The address broke off.');
  });
});
