import { afterEach, describe, expect, it } from 'vitest';
import { createEngine } from '../../../src/tts/engines.js';
import type { EngineServer } from '../../support/tts/engine-server.js';
import { host, speak, totalMs } from '../../support/tts/speak.js';
import {
  audioQueryOf,
  querySoundMs,
  startVoicevox,
  type VoicevoxManners,
} from '../../support/tts/voicevox.js';

let server: EngineServer;
afterEach(() => server.close());

async function start(manners: VoicevoxManners = {}, options: object = {}, name = 'voicevox') {
  server = await startVoicevox(manners);
  return createEngine(name, { baseUrl: server.baseUrl, ...options }, host);
}

describe('the engine voicevox', () => {
  it('asks for 16 kHz mono and speaks the whole utterance, where the build does not stream', async () => {
    const engine = await start();
    const spoken = await speak(engine, 'こんにちは、元気です。', { voice: '3' });
    expect(spoken).toMatchObject({ sampleRateHz: 16_000, channels: 1, warnings: [] });
    expect(spoken.ms).toBeCloseTo(querySoundMs(audioQueryOf('こんにちは、元気です。'), true), 0);
    expect(server.requests.map(({ path }) => path)).toEqual([
      '/audio_query',
      '/streaming_synthesis',
      '/synthesis',
    ]);
    expect(server.to('/audio_query')[0]).toMatchObject({ method: 'POST', body: '' });
    expect(server.to('/synthesis')[0]!.query.get('speaker')).toBe('3');
    expect(server.to('/synthesis')[0]!.json).toMatchObject({
      outputSamplingRate: 16_000,
      outputStereo: false,
      kana: 'こんにちは、元気です。',
    });
  });

  it('asks once for a path that the build lacks', async () => {
    const engine = await start();
    await speak(engine, 'はい。', { voice: '3' });
    await speak(engine, 'はい。', { voice: '3' });
    expect(server.to('/streaming_synthesis')).toHaveLength(1);
    expect(server.to('/synthesis')).toHaveLength(2);
  });

  it('streams where the build can: sound comes before the reply is complete', async () => {
    const engine = await start({ streaming: true, chunkBytes: 4000, gapMs: 40 });
    const spoken = await speak(engine, 'これは長い文です。とても長い文です。', { voice: '3' });
    expect(server.to('/synthesis')).toHaveLength(0);
    expect(spoken.blocks).toBeGreaterThan(3);
    expect(spoken.ms).toBeCloseTo(
      querySoundMs(audioQueryOf('これは長い文です。とても長い文です。'), true),
      0,
    );
  });

  it('uses cancellable_synthesis when told to', async () => {
    const engine = await start({ cancellable: true }, { stream: false, cancellable: true });
    await speak(engine, 'はい。', { voice: '3' });
    expect(server.requests.map(({ path }) => path)).toEqual(['/audio_query', '/cancellable_synthesis']);
  });

  it('tells phonemes whose lengths are those of the sound, questions and speed included', async () => {
    const engine = await start();
    for (const [text, rate] of [
      ['これは、何ですか？', 1],
      ['そうです。', 1.37],
      ['ええ、まあ、そう？', 0.8],
    ] as const) {
      const { ms, phonemes } = await speak(engine, text, { voice: '3', rate });
      expect(totalMs(phonemes)).toBeCloseTo(ms, 0);
      expect(phonemes[0]).toMatchObject({ phoneme: 'sil' });
    }
  });

  it('takes what really comes: another rate, two channels', async () => {
    const engine = await start({ forcedRateHz: 44_100 });
    expect((await speak(engine, 'はい。', { voice: '3' })).sampleRateHz).toBe(44_100);
  });

  it('maps rate, pitch and volume to its scales, and its own options', async () => {
    const engine = await start({}, { intonationScale: 1.5, upspeak: false });
    await speak(engine, 'はい？', { voice: '3', rate: 1.25, pitchSemitones: 3, volume: 0.5 });
    const request = server.to('/synthesis')[0]!;
    expect(request.json).toMatchObject({
      speedScale: 1.25,
      pitchScale: 0.25,
      volumeScale: 0.5,
      intonationScale: 1.5,
    });
    expect(request.query.get('enable_interrogative_upspeak')).toBe('false');
  });

  it('lists voices and finds them by number, full name or speaker', async () => {
    const engine = await start();
    const voices = await engine.voices(new AbortController().signal);
    expect(voices.map(({ id, name }) => `${id} ${name}`)).toEqual([
      '2 四国めたん/ノーマル',
      '0 四国めたん/あまあま',
      '3 ずんだもん/ノーマル',
    ]);
    for (const voice of ['ずんだもん/ノーマル', 'ずんだもん']) await speak(engine, 'はい。', { voice });
    await speak(engine, 'はい。');
    expect(server.to('/audio_query').map(({ query }) => query.get('speaker'))).toEqual(['3', '3', '2']);
    await expect(speak(engine, 'はい。', { voice: '初音' })).rejects.toMatchObject({ code: 'VOICE_UNKNOWN' });
  });

  it('does not take a WAV that was cut off for a short one', async () => {
    const engine = await start({ chunkBytes: 1000, cutAfterBytes: 3000 });
    await expect(speak(engine, 'これは長い文です。', { voice: '3' })).rejects.toMatchObject({
      code: 'ENGINE_FAILED',
    });
  });

  it('has relatives on other ports', async () => {
    const engine = await start({}, {}, 'aivisspeech');
    expect(engine.name).toBe('aivisspeech');
    expect((await speak(engine, 'はい。')).phonemes).toEqual([]);
  });
});
