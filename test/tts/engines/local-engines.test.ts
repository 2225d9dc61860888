import { afterEach, describe, expect, it } from 'vitest';
import { createEngine } from '../../../src/tts/engines.js';
import type { EngineServer } from '../../support/tts/engine-server.js';
import {
  startCoeiroink,
  startGptSovits,
  startPiper,
  startStyleBertVits2,
} from '../../support/tts/local-engines.js';
import { speechMs } from '../../support/tts/sound.js';
import { host, speak, totalMs } from '../../support/tts/speak.js';

let server: EngineServer;
afterEach(() => server.close());
const signal = new AbortController().signal;
const engineOf = (name: string, options: object = {}) =>
  createEngine(name, { baseUrl: server.baseUrl, ...options }, host);

describe('the engine coeiroink', () => {
  it('tells phonemes whose lengths are those of the sound', async () => {
    server = await startCoeiroink();
    const { ms, phonemes } = await speak(engineOf('coeiroink'), 'こんにちは', { rate: 1.25 });
    expect(ms).toBeCloseTo(speechMs('こんにちは') / 1.25, 0);
    expect(totalMs(phonemes)).toBeCloseTo(ms, 0);
    expect(phonemes.map(({ phoneme }) => phoneme).join(' ')).toBe('pau k o k o k o k o k o pau');
    expect(phonemes.filter(({ last }) => last)).toHaveLength(7);
  });

  it('synthesises with pitch and volume in 16 kHz when they are set', async () => {
    server = await startCoeiroink();
    const spoken = await speak(engineOf('coeiroink'), 'はい', {
      voice: 'つくよみちゃん/おしとやか',
      pitchSemitones: 6,
      volume: 2,
    });
    expect(spoken).toMatchObject({ sampleRateHz: 16_000, phonemes: [] });
    expect(server.to('/v1/synthesis')[0]!.json).toMatchObject({
      speakerUuid: '3c37646f-3881-5374-2a83-149267990abc',
      styleId: 5,
      pitchScale: 0.5,
      volumeScale: 2,
      outputSamplingRate: 16_000,
      prosodyDetail: [
        [
          { phoneme: 'k-o', hira: 'は', accent: 0 },
          { phoneme: 'k-o', hira: 'い', accent: 0 },
        ],
      ],
    });
  });

  it('lists voices', async () => {
    server = await startCoeiroink();
    const voices = await engineOf('coeiroink').voices(signal);
    expect(voices.map(({ id }) => id)).toEqual([
      '3c37646f-3881-5374-2a83-149267990abc:0',
      '3c37646f-3881-5374-2a83-149267990abc:5',
    ]);
  });
});

describe('the engine style-bert-vits2', () => {
  it('asks as its server documents and takes the model rate', async () => {
    server = await startStyleBertVits2();
    const engine = engineOf('style-bert-vits2', { style: 'Happy', styleWeight: 3 });
    const spoken = await speak(engine, 'こんにちは', { voice: '1:0', rate: 2, language: 'en-US' });
    expect(spoken).toMatchObject({ sampleRateHz: 44_100 });
    expect(spoken.ms).toBeCloseTo(speechMs('こんにちは') / 2, 0);
    expect(Object.fromEntries(server.to('/voice')[0]!.query)).toEqual({
      ...{ text: 'こんにちは', model_id: '1', speaker_id: '0', style: 'Happy', style_weight: '3' },
      ...{ length: '0.5', language: 'EN', auto_split: 'true' },
    });
    expect(engine.capabilities.maxChars).toBe(100);
  });

  it('lists models with their speakers', async () => {
    server = await startStyleBertVits2();
    const voices = await engineOf('style-bert-vits2').voices(signal);
    expect(voices.map(({ id, name }) => `${id} ${name}`)).toEqual([
      '0:0 jvnv-F1-jp/jvnv-F1-jp',
      '1:0 amitaro/amitaro',
      '1:1 amitaro/other',
    ]);
  });
});

describe('the engine gpt-sovits', () => {
  it('streams a WAV whose head says it is empty', async () => {
    server = await startGptSovits({ chunkBytes: 2000, gapMs: 10 });
    const engine = engineOf('gpt-sovits', { promptText: 'もしもし' });
    const spoken = await speak(engine, 'こんにちは', {
      voice: 'voices/a.wav',
      rate: 1.25,
      language: 'ja-JP',
    });
    expect(spoken.ms).toBeCloseTo(speechMs('こんにちは') / 1.25, 0);
    expect(spoken.blocks).toBeGreaterThan(1);
    expect(Object.fromEntries(server.to('/tts')[0]!.query)).toMatchObject({
      ...{ text_lang: 'ja', ref_audio_path: 'voices/a.wav', prompt_lang: 'ja', prompt_text: 'もしもし' },
      ...{ media_type: 'wav', streaming_mode: 'true', speed_factor: '1.25' },
    });
  });

  it('passes on what the server refuses', async () => {
    server = await startGptSovits();
    await expect(speak(engineOf('gpt-sovits'), 'はい')).rejects.toThrow(
      /status 400: ref_audio_path is required/,
    );
  });
});

describe('the engine piper, as a server', () => {
  it('asks the newer path, and the older one where that is not there', async () => {
    server = await startPiper();
    const engine = engineOf('piper', { speakerId: 2 });
    expect((await speak(engine, 'Hello', { rate: 2, voice: 'en_US-lessac-medium' })).sampleRateHz).toBe(
      22_050,
    );
    expect(server.requests[0]).toMatchObject({
      path: '/synthesize',
      json: { text: 'Hello', voice: 'en_US-lessac-medium', speaker_id: 2, length_scale: 0.5 },
    });
    expect(await engine.voices(signal)).toEqual([
      { id: 'en_US-lessac-medium', name: 'en_US-lessac-medium', language: 'en-US' },
    ]);
    await server.close();

    server = await startPiper({ old: true });
    const old = engineOf('piper');
    await speak(old, 'Hello');
    await speak(old, 'again');
    expect(server.requests.map(({ path }) => path)).toEqual(['/synthesize', '/', '/']);
  });
});
