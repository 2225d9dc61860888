import { afterEach, describe, expect, it } from 'vitest';
import type { TtsEngine } from '../../../src/tts/engine.js';
import { createEngine } from '../../../src/tts/engines.js';
import { KEY } from '../../support/tts/cloud-engines.js';
import {
  type ElevenLabsManners,
  type ElevenLabsStandIn,
  startElevenLabs,
} from '../../support/tts/elevenlabs.js';
import { speechMs } from '../../support/tts/sound.js';
import { host, speak } from '../../support/tts/speak.js';

let server: ElevenLabsStandIn;
let engine: TtsEngine;
afterEach(async () => {
  await engine.close();
  await server.close();
});

async function start(manners: ElevenLabsManners = {}, options: object = {}): Promise<void> {
  server = await startElevenLabs(manners);
  engine = createEngine('elevenlabs', { baseUrl: server.baseUrl, transport: 'websocket', ...options }, host);
}

describe('the engine elevenlabs, over its WebSocket', () => {
  it('speaks an utterance in a context of its own and tells the time of each character', async () => {
    await start({ pieces: 4 });
    const text = 'Hello there, world.';
    const { ms, spans, sampleRateHz } = await speak(engine, text, { voice: 'v1', rate: 1.1 });
    expect(sampleRateHz).toBe(16_000);
    expect(ms).toBeCloseTo(speechMs(text), 0);
    expect(spans.map((span) => span.text).join('')).toBe(text);
    // The service counts from each piece's own start; the times must go on over the pieces.
    for (let i = 1; i < spans.length; i++)
      expect(spans[i]!.startMs).toBeGreaterThanOrEqual(spans[i - 1]!.startMs);
    expect(spans.at(-1)!.endMs).toBeGreaterThan(ms * 0.95);
    expect(server.messages).toEqual([
      { text: ' ', context_id: 'u1', voice_settings: { speed: 1.1 } },
      { text: `${text} `, context_id: 'u1' },
      { flush: true, context_id: 'u1' },
      { close_context: true, context_id: 'u1' },
    ]);
    expect(server.addresses[0]).toMatch(
      /^\/v1\/text-to-speech\/v1\/multi-stream-input\?model_id=eleven_flash_v2_5&output_format=pcm_16000&auto_mode=true$/,
    );
  });

  it('keeps one connection for utterances side by side and one after another', async () => {
    await start({ pieceMs: 10 });
    const texts = ['One sentence.', 'A second one, longer.', 'Three.'];
    const spoken = await Promise.all(texts.map((text) => speak(engine, text)));
    spoken.push(await speak(engine, 'Later.'));
    expect(spoken.map(({ ms }) => Math.round(ms))).toEqual([...texts, 'Later.'].map(speechMs));
    expect(server.connections.made).toBe(1);
  });

  it('connects again after the service has closed an idle connection', async () => {
    await start();
    await speak(engine, 'One.');
    await engine.close();
    await speak(engine, 'Two.');
    expect(server.connections.made).toBe(2);
  });

  it('ends the connection at once when the only utterance is given up', async () => {
    await start({ pieceMs: 50, pieces: 50 });
    const abort = new AbortController();
    const speaking = speak(engine, 'A long sentence that nobody wants.', {}, abort.signal);
    await expect.poll(() => server.messages.length).toBe(4);
    abort.abort(new Error('enough'));
    await expect(speaking).rejects.toThrow('enough');
    await expect.poll(() => server.connections.open).toBe(0);
  });

  it.each<[NonNullable<ElevenLabsManners['breaks']>, string, RegExp]>([
    ['error', 'ENGINE_FAILED', /Quota of \*\*\* exceeded/],
    ['close', 'ENGINE_FAILED', /closed its connection in mid-utterance: internal/],
    ['silence', 'ENGINE_TIMEOUT', /sent nothing for 150 ms/],
  ])('tells %s in mid-utterance', async (breaks, code, message) => {
    await start({ breaks }, { idleMs: 150 });
    const error = await speak(engine, 'Hello there').then(
      () => undefined,
      (reason: unknown) => reason as Error,
    );
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) as string });
    expect(`${error!.message}${error!.stack ?? ''}`).not.toContain(KEY);
  });

  it('tells a key that is refused and a service that is not there', async () => {
    await start();
    const wrong = { ...host, environment: { ELEVENLABS_API_KEY: 'wrong-key-1' } };
    const refused = createEngine('elevenlabs', { baseUrl: server.baseUrl, transport: 'websocket' }, wrong);
    await expect(speak(refused, 'Hello')).rejects.toMatchObject({ code: 'ENGINE_DENIED' });
    await server.close();
    await expect(speak(engine, 'Hello')).rejects.toMatchObject({ code: 'ENGINE_UNREACHABLE' });
  });
});
