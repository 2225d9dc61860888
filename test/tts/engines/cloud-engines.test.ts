import { afterEach, describe, expect, it } from 'vitest';
import { BridgeError } from '../../../src/base/errors.js';
import { createEngine } from '../../../src/tts/engines.js';
import { escapeXml, ssml } from '../../../src/tts/engines/azure.js';
import { KEY, startAzure, startGoogle, startOpenAi } from '../../support/tts/cloud-engines.js';
import { startElevenLabs } from '../../support/tts/elevenlabs.js';
import { speechSound } from '../../../src/tts/speech-sound.js';
import { EngineServer, type Manners, type SeenRequest } from '../../support/tts/engine-server.js';
import { listen } from '../../support/tts/listen.js';
import { speechMs } from '../../support/tts/sound.js';
import { host, speak } from '../../support/tts/speak.js';

let server: { baseUrl: string; close(): Promise<void> };
afterEach(() => server.close());
const signal = new AbortController().signal;
const engineOf = (name: string, options: object = {}) =>
  createEngine(name, { baseUrl: server.baseUrl, ...options }, host);
const seen = (): readonly SeenRequest[] => (server as { requests?: SeenRequest[] }).requests ?? [];

describe('the engine openai', () => {
  it('streams headerless 24 kHz PCM', async () => {
    server = await startOpenAi({ wantsKey: true, chunkBytes: 1001, gapMs: 5 });
    const engine = engineOf('openai', { keyEnv: 'OWN_KEY', model: 'tts-1', instructions: 'Whisper.' });
    const spoken = await speak(engine, 'Hello there, how are you?', { voice: 'nova', rate: 1.25 });
    expect(spoken).toMatchObject({ sampleRateHz: 24_000, channels: 1, warnings: [] });
    expect(spoken.ms).toBeCloseTo(speechMs('Hello there, how are you?') / 1.25, 0);
    expect(spoken.blocks).toBeGreaterThan(5);
    expect(spoken.peak).toBeCloseTo(0.5, 2);
    expect(seen()[0]!.json).toEqual({
      ...{ model: 'tts-1', input: 'Hello there, how are you?', voice: 'nova' },
      ...{ response_format: 'pcm', speed: 1.25, instructions: 'Whisper.' },
    });
  });

  it('takes a server that sends a file although PCM was asked for, and one that tells its rate', async () => {
    server = await startOpenAi({ sendsWav: true, rateHz: 22_050 });
    expect((await speak(engineOf('openai'), 'Hello')).sampleRateHz).toBe(22_050);
    await server.close();
    server = await startOpenAi({ contentType: 'audio/pcm; rate=16000', rateHz: 16_000 });
    const spoken = await speak(engineOf('openai', { baseUrl: `${server.baseUrl}/v1` }), 'Hello');
    expect(spoken).toMatchObject({ sampleRateHz: 16_000, ms: speechMs('Hello') });
  });

  it('takes samples in the format that a user states, above what the label says', async () => {
    server = await startOpenAi({ rateHz: 22_050 });
    const own = await speak(engineOf('openai', { format: 's16le:22050:1' }), 'Hello');
    expect(own).toMatchObject({ sampleRateHz: 22_050, channels: 1 });
    expect(own.ms).toBeCloseTo(speechMs('Hello'), 0);
    expect(() => engineOf('openai', { format: 's16:22050' })).toThrow(
      expect.objectContaining({
        code: 'OPTION_INVALID',
        message: expect.stringMatching(/format.*s16le/) as string,
      }),
    );
    await server.close();
    server = await startOpenAi({ sendsWav: true });
    await speak(engineOf('openai', { responseFormat: 'wav' }), 'Hello');
    expect(seen()[0]!.json).toMatchObject({ response_format: 'wav' });
  });

  it('is asked once for what it refuses, and again after a fault that can pass', async () => {
    server = await startOpenAi({
      failures: 9,
      failure: { status: 422, body: '{"detail":[{"msg":"too long"}]}' },
    });
    const heard = listen(speechSound('One.', { engine: engineOf('openai') }));
    expect(await heard.done).toMatchObject({ code: 'ENGINE_REFUSED', retryable: false });
    expect(seen()).toHaveLength(1);
    await server.close();
    server = await startOpenAi({ failures: 1, failure: { status: 502 } });
    expect(await listen(speechSound('One.', { engine: engineOf('openai') })).done).toBeUndefined();
    expect(seen()).toHaveLength(2);
  });

  it('looks for its voices where copies of the API list them', async () => {
    const listing = await EngineServer.start(({ path }) =>
      path === '/voices' ? { body: { voices: { nova: { lang: 'en' }, mika: {} } } } : undefined,
    );
    server = listing;
    expect(await engineOf('openai').voices(signal)).toEqual([
      { id: 'nova', name: 'nova', language: 'en' },
      { id: 'mika', name: 'mika' },
    ]);
    await listing.close();
    server = await EngineServer.start(() => undefined);
    await expect(engineOf('openai').voices(signal)).rejects.toMatchObject({ code: 'ENGINE_REFUSED' });
  });

  it("does not show OpenAI's key to another host unless it was named for it", async () => {
    server = await startOpenAi();
    await speak(engineOf('openai'), 'Hello');
    await speak(engineOf('openai', { keyEnv: 'OWN_KEY' }), 'Hello');
    expect(seen().map(({ headers }) => headers.authorization)).toEqual([undefined, `Bearer ${KEY}`]);
  });

  it('scales the sound itself, having no volume of its own', async () => {
    server = await startOpenAi();
    expect((await speak(engineOf('openai'), 'Hello', { volume: 0.5 })).peak).toBeCloseTo(0.25, 2);
  });
});

describe('the engine kokoro', () => {
  it('lists voices of both shapes', async () => {
    server = await startOpenAi();
    expect(await engineOf('kokoro').voices(signal)).toEqual([
      { id: 'af_heart', name: 'af_heart' },
      { id: 'af_bella', name: 'Bella' },
    ]);
  });

  it('tells the time of each word when asked to', async () => {
    server = await startOpenAi({ chunkBytes: 777 });
    const { ms, spans } = await speak(engineOf('kokoro', { wordTimes: true }), 'one two three four');
    expect(ms).toBeCloseTo(speechMs('one two three four'), 0);
    expect(spans.map(({ text }) => text)).toEqual(['one', 'two', 'three', 'four']);
    expect(spans[0]!.startMs).toBe(0);
    expect(spans.at(-1)!.endMs).toBeCloseTo(ms, 0);
    expect(seen()[0]!.json).toMatchObject({ model: 'kokoro', voice: 'af_heart', return_timestamps: true });
  });
});

describe('the engine azure', () => {
  it('sends SSML and takes 16 kHz PCM', async () => {
    server = await startAzure({ chunkBytes: 640, gapMs: 2 });
    const spoken = await speak(engineOf('azure', { style: 'cheerful' }), 'Tom & <Jerry>', {
      rate: 1.5,
      pitchSemitones: -2,
    });
    expect(spoken).toMatchObject({ sampleRateHz: 16_000, warnings: [] });
    expect(seen()[0]!.body).toContain('<prosody rate="+50%" pitch="-2st">Tom &amp; &lt;Jerry&gt;</prosody>');
    expect(await engineOf('azure').voices(signal)).toEqual([
      { id: 'ja-JP-NanamiNeural', name: '七海', language: 'ja-JP' },
    ]);
  });

  it('never lets text, voice or language become markup', () => {
    const document = ssml('</voice><break time="9s"/>', { voice: '"><evil/>', language: "'&" }, '"x');
    expect(document.match(/<[a-z:-]+/g)).toEqual(['<speak', '<voice', '<mstts:express-as']);
    expect(escapeXml('a\u0000b\u000bc\ud800d\ufffe')).toBe('abcd');
  });

  it('takes a voice of the language that is asked for', () => {
    expect(ssml('はい', { language: 'ja' })).toContain('name="ja-JP-NanamiNeural"');
    expect(ssml('x', { voice: 'de-DE-KatjaNeural' })).toContain('xml:lang="de-DE"');
  });
});

describe('the engine google', () => {
  it('takes the WAV in the JSON', async () => {
    server = await startGoogle();
    const spoken = await speak(engineOf('google'), 'こんにちは', {
      voice: 'ja-JP-Neural2-B',
      rate: 2,
      volume: 0.5,
    });
    expect(spoken).toMatchObject({ sampleRateHz: 16_000, warnings: [] });
    expect(spoken.ms).toBeCloseTo(speechMs('こんにちは') / 2, 0);
    expect(seen()[0]!.json).toMatchObject({
      voice: { languageCode: 'ja-JP', name: 'ja-JP-Neural2-B' },
      audioConfig: { audioEncoding: 'LINEAR16', sampleRateHertz: 16_000, speakingRate: 2 },
    });
    const { volumeGainDb } = seen()[0]!.json!['audioConfig'] as { volumeGainDb: number };
    expect(volumeGainDb).toBeCloseTo(-6.02, 1);
  });
});

describe('the engine elevenlabs, over HTTP', () => {
  it('streams 16 kHz PCM and keeps to the speeds that the service takes', async () => {
    const standIn = await startElevenLabs({ chunkBytes: 1000, gapMs: 5 });
    server = standIn;
    const spoken = await speak(engineOf('elevenlabs', { stability: 0.4 }), 'Hello there', {
      rate: 3,
      language: 'en-US',
    });
    expect(spoken).toMatchObject({ sampleRateHz: 16_000 });
    expect(spoken.warnings).toEqual([expect.stringMatching(/0.7 to 1.2/)]);
    expect(standIn.http.requests[0]!.json).toEqual({
      text: 'Hello there',
      model_id: 'eleven_flash_v2_5',
      language_code: 'en',
      voice_settings: { stability: 0.4, speed: 1.2 },
    });
    expect(await engineOf('elevenlabs').voices(signal)).toEqual([{ id: 'abc', name: 'Rachel' }]);
  });
});

describe('a key that is wrong or missing', () => {
  const services: [
    string,
    string,
    (manners?: Manners) => Promise<{ baseUrl: string; close(): Promise<void> }>,
  ][] = [
    ['openai', 'OWN_KEY', (manners) => startOpenAi({ ...manners, wantsKey: true })],
    ['azure', 'AZURE_SPEECH_KEY', startAzure],
    ['google', 'GOOGLE_API_KEY', startGoogle],
    ['elevenlabs', 'ELEVENLABS_API_KEY', startElevenLabs],
  ];
  const WRONG = 'wrong-key-+/=9876543210';

  it.each(services)('is not shown by %s, whatever fails', async (name, keyEnv, start) => {
    const manners: Manners = {};
    server = await start(manners);
    const environment = { [keyEnv]: WRONG };
    const engine = createEngine(name, { baseUrl: server.baseUrl, keyEnv }, { ...host, environment });
    const errors: unknown[] = [];
    const attempt = (): Promise<unknown> =>
      speak(engine, 'Hello').catch((error: unknown) => errors.push(error));
    await attempt();
    for (const failure of ['json200', 'cut'] as const) {
      Object.assign(manners, { failures: 1, failure });
      await attempt();
    }
    await server.close();
    await attempt();
    expect(errors).toHaveLength(4);
    for (const error of errors) {
      expect(error).toBeInstanceOf(BridgeError);
      const { message, stack, cause } = error as BridgeError;
      const all = `${message} ${stack ?? ''} ${String(cause)} ${String((cause as Error | undefined)?.stack)}`;
      expect(all).not.toContain('9876543210');
      expect(all).not.toContain(encodeURIComponent(WRONG));
    }
  });

  it.each(services.slice(1))('is named by its variable when %s lacks it', async (name, keyEnv, start) => {
    server = await start();
    expect(() => createEngine(name, {}, { ...host, environment: {} })).toThrow(
      expect.objectContaining({
        code: 'ENGINE_KEY_MISSING',
        message: expect.stringContaining(keyEnv) as string,
      }) as Error,
    );
  });

  it('is asked of OpenAI itself only', async () => {
    server = await startOpenAi();
    expect(() => createEngine('openai', {}, { ...host, environment: {} })).toThrow(/OPENAI_API_KEY/);
    expect(() => engineOf('kokoro')).not.toThrow();
  });
});
