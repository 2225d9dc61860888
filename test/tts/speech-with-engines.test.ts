import { afterEach, describe, expect, it } from 'vitest';
import { createEngine } from '../../src/tts/engines.js';
import { lipSyncLines } from '../../src/narration/lips.js';
import { speechSound } from '../../src/tts/speech-sound.js';
import { BUILT_IN_VOICE, describeWith } from '../support/needs.js';
import { KEY, startGoogle, startOpenAi } from '../support/tts/cloud-engines.js';
import { startElevenLabs } from '../support/tts/elevenlabs.js';
import type { Manners } from '../support/tts/engine-server.js';
import { listen } from '../support/tts/listen.js';
import { startStyleBertVits2 } from '../support/tts/local-engines.js';
import { speechMs } from '../support/tts/sound.js';
import { host, totalMs } from '../support/tts/speak.js';
import { startVoicevox } from '../support/tts/voicevox.js';

let close: () => Promise<void> = async () => undefined;
afterEach(() => close());

async function engineOf(
  name: string,
  starting: Promise<{ baseUrl: string; close(): Promise<void> }>,
  options: object = {},
) {
  const server = await starting;
  const engine = createEngine(name, { baseUrl: server.baseUrl, ...options }, host);
  close = async () => {
    await engine.close();
    await server.close();
  };
  return engine;
}

describe('a spoken text with engines behind HTTP', () => {
  it('has lips that last as long as each sentence', async () => {
    const engine = await engineOf('voicevox', startVoicevox({ streaming: true, chunkBytes: 3000 }));
    const heard = listen(
      speechSound('こんにちは、私です。元気ですか？はい。', { engine, speech: { voice: '3' } }),
    );
    expect(await heard.done).toBeUndefined();
    expect(heard.segments.map(({ text }) => text)).toEqual([
      'こんにちは、私です。',
      '元気ですか？',
      'はい。',
    ]);
    heard.segments.forEach(({ startMs, phonemes }, i) => {
      const endMs = heard.segments[i + 1]?.startMs ?? heard.ms;
      expect(totalMs(phonemes)).toBeCloseTo(endMs - startMs, 0);
      expect(lipSyncLines('mei', phonemes)[0]!.command).toMatch(/^LIPSYNC_START\|mei\|sil,\d+,k,\d+,o,/);
    });
  });

  it.each<[string, Manners]>([
    ['answers JSON in place of sound', { failures: 1, failure: 'json200' }],
    ['answers 500', { failures: 1, failure: { status: 500 } }],
    ['cuts the connection', { failures: 1, failure: 'cut' }],
    [
      'answers 429 and says when to come back',
      { failures: 1, failure: { status: 429, headers: { 'retry-after': '0' } } },
    ],
  ])('is whole although the engine once %s', async (_, manners) => {
    const engine = await engineOf('google', startGoogle(manners));
    const sound = speechSound('One sentence. Two sentences.', { engine, retryDelayMs: 5 });
    const heard = listen(sound);
    expect(await heard.done).toBeUndefined();
    expect(heard.ms).toBeCloseTo(speechMs('One sentence.') + speechMs('Two sentences.'), 0);
    expect([sound.report.spoken, heard.warnings]).toEqual([2, []]);
  });

  it('tries a whole utterance again that was cut off: nothing of it has been heard', async () => {
    const manners: Manners = { chunkBytes: 2000, cutAfterBytes: 20_000 };
    const engine = await engineOf('style-bert-vits2', startStyleBertVits2(manners));
    const sound = speechSound('これは文です。', { engine, retryDelayMs: 100 });
    setTimeout(() => delete manners.cutAfterBytes, 60);
    const heard = listen(sound);
    expect(await heard.done).toBeUndefined();
    expect(heard.ms).toBeCloseTo(speechMs('これは文です。'), 0);
    expect(sound.report).toMatchObject({ spoken: 1, cutOff: 0 });
  });

  it('ends all requests at an interruption', async () => {
    const starting = startOpenAi({ chunkBytes: 960, gapMs: 20 });
    const engine = await engineOf('openai', starting);
    const heard = listen(
      speechSound('The first sentence is long. The second one, too. And a third.', { engine }),
    );
    const server = await starting;
    await expect.poll(() => server.active).toBe(2);
    await expect.poll(() => heard.ms).toBeGreaterThan(0);
    heard.abort.abort(new Error('enough'));
    expect(await heard.done).toMatchObject({ message: 'enough' });
    await expect.poll(() => server.active).toBe(0);
    expect([server.requests.length, server.aborted]).toEqual([2, 2]);
  });

  it('tells when words are heard, over sentences', async () => {
    const engine = await engineOf('elevenlabs', startElevenLabs({ pieces: 5, pieceMs: 5 }), {
      transport: 'websocket',
    });
    const sound = speechSound('Hello [nod]there, you. And so on.', { engine, tags: { nod: 'NOD' } });
    const spans: { text: string; atMs: number }[] = [];
    sound.events.on('spans', ({ startMs, spans: more }) =>
      spans.push(...more.map(({ text, startMs: at }) => ({ text, atMs: startMs + at }))),
    );
    const heard = listen(sound);
    expect(await heard.done).toBeUndefined();
    expect(spans.map(({ text }) => text).join('')).toBe('Hello there, you.And so on.');
    expect(spans.find(({ text }) => text === 'A')!.atMs).toBeCloseTo(heard.segments[1]!.startMs, 0);
    expect(heard.marks[0]!.atMs).toBeCloseTo(spans.find(({ text }) => text === 't')!.atMs, -1);
    expect(JSON.stringify(heard)).not.toContain(KEY);
  });
});

await describeWith([BUILT_IN_VOICE], 'a spoken text with the built-in voice', () => {
  it('speaks offline, with lips', async () => {
    const engine = createEngine('flite', {}, host);
    close = () => engine.close();
    const heard = listen(speechSound('Hello there. How are you?', { engine }));
    expect(await heard.done).toBeUndefined();
    expect(heard.segments).toHaveLength(2);
    expect(
      heard.blocks.every(({ sampleRateHz, channels }) => sampleRateHz === 16_000 && channels === 1),
    ).toBe(true);
    for (const { phonemes, durationMs } of heard.segments) {
      expect(Math.abs(totalMs(phonemes) - durationMs!)).toBeLessThan(10);
    }
  });

  it('speaks in the place of an engine that is not there', async () => {
    const flite = createEngine('flite', {}, host);
    close = () => flite.close();
    const engine = createEngine('voicevox', { baseUrl: 'http://127.0.0.1:9' }, host);
    const heard = listen(
      speechSound('Hello there.', { engine, fallback: { engine: flite, speech: {} }, retries: 0 }),
    );
    expect(await heard.done).toBeUndefined();
    expect(heard.segments[0]!.engine).toBe('flite');
    expect(heard.warnings).toEqual([
      expect.stringMatching(
        /^The engine flite speaks the rest of the text: The engine voicevox cannot be reached/,
      ),
    ]);
  });
});
