import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { createEngine } from '../../../src/tts/engines.js';
import { encode, int16Of, temporaryFolder, testSignal } from '../../support/codecs.js';
import { describeWith } from '../../support/needs.js';
import { bytesOf } from '../../support/sound.js';
import { EngineServer } from '../../support/tts/engine-server.js';
import { host, speak } from '../../support/tts/speak.js';
import { wavOf } from '../../support/wav.js';

let server: EngineServer | undefined;
afterEach(() => server?.close());

const folder = await temporaryFolder();
const samples = int16Of(testSignal(1, 24_000, 1));
const pcm = bytesOf(samples);

const ENGINES: Readonly<Record<string, object>> = {
  openai: {},
  kokoro: {},
  azure: {},
  elevenlabs: {},
};

async function answered(name: string, body: Uint8Array | string, type?: string, headers = {}) {
  server = await EngineServer.start(
    () => ({ body, ...(type === undefined ? {} : { type }), headers, chunked: true }),
    { chunkBytes: body.length > 5000 ? 1000 : 1 },
  );
  return speak(createEngine(name, { ...ENGINES[name], baseUrl: server.baseUrl }, host), 'Hello.');
}

await describeWith(['ffmpeg'], 'what an engine answers in place of the samples that were asked for', () => {
  const wav = wavOf(samples, 24_000, 1);
  const made = (name: string, ...options: string[]): Promise<Buffer> =>
    encode(wav, join(folder, name), ...options);
  const files: Readonly<Record<string, () => Promise<Uint8Array>>> = {
    'MP3 without a tag': () => made('a.mp3', '-b:a', '48k', '-write_xing', '0', '-id3v2_version', '0'),
    'MPEG layer II': () => made('a.mp2', '-ar', '24000', '-b:a', '64k'),
    'AAC in ADTS': () => made('a.aac', '-b:a', '96k'),
    M4A: () => made('a.m4a'),
    'fragmented MP4': () => made('b.mp4', '-movflags', 'frag_keyframe+empty_moov'),
    'WebM Opus': () => made('a.webm', '-c:a', 'libopus'),
    'Ogg Opus': () => made('a.opus', '-c:a', 'libopus'),
    'Ogg Vorbis': () => made('a.ogg', '-c:a', 'libvorbis'),
    WAV: async () => wav,
    'WAV of floats': () => made('f.wav', '-c:a', 'pcm_f32le'),
    FLAC: () => made('a.flac'),
    AIFF: () => made('a.aiff'),
  };

  it.each(Object.keys(files))('decodes %s, whatever its type claims', async (name) => {
    const body = await files[name]!();
    for (const type of ['audio/pcm', 'application/octet-stream', 'audio/mpeg', undefined]) {
      const spoken = await answered('openai', body, type);
      expect(spoken.ms).toBeGreaterThan(940);
      expect(spoken.ms).toBeLessThan(1100);
      expect(spoken.peak).toBeLessThan(0.95);
      await server?.close();
    }
  });

  it.each(Object.keys(ENGINES))('is told by the engine %s', async (name) => {
    const spoken = await answered(name, await files['MP3 without a tag']!(), 'audio/pcm');
    expect(spoken.ms).toBeGreaterThan(940);
    expect(spoken.ms).toBeLessThan(1100);
  });

  it('takes the rate of samples from the label', async () => {
    for (const [type, headers, ms] of [
      ['audio/L16;rate=48000', {}, 500],
      ['audio/pcm', { 'x-sample-rate': '12000' }, 2000],
      ['audio/pcm;rate=16000;channels=1', {}, 1500],
      ['application/octet-stream', {}, 1000],
      // A type that is wrong: what comes are samples all the same.
      ['audio/mpeg', {}, 1000],
    ] as const) {
      expect((await answered('openai', pcm, type, headers)).ms).toBeCloseTo(ms, 0);
      await server?.close();
    }
  });

  it.each([
    ['a JSON object', '{"error": {"message": "no such voice"}}', 'no such voice'],
    ['a JSON array', '[{"msg": "text is too long"}]', 'text is too long'],
    ['JSON behind a byte order mark', '\uFEFF{"detail": "model not loaded"}', 'model not loaded'],
    ['a page', '<!DOCTYPE html><html><body><h1>502</h1> Bad gateway</body></html>', '502 Bad gateway'],
    ['a text', 'Internal error: out of memory', 'out of memory'],
  ])('shows the words of %s', async (_what, body, words) => {
    for (const type of ['audio/pcm', 'application/json', undefined])
      for (const name of ['openai', 'azure']) {
        await expect(answered(name, body, type)).rejects.toMatchObject({
          code: 'ENGINE_FAILED',
          message: expect.stringContaining(words) as string,
        });
        await server?.close();
      }
  });
});
