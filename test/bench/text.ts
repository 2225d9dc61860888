import type { PcmBlock } from '../../src/audio/pcm.js';
import { Dictionary } from '../../src/tts/dictionary.js';
import { createEngine } from '../../src/tts/engines.js';
import { scriptOf } from '../../src/tts/script.js';
import type { TtsEngine } from '../../src/tts/engine.js';
import { lipSyncLines } from '../../src/narration/lips.js';
import { speechSound } from '../../src/tts/speech-sound.js';
import { blockMs } from '../../src/tts/synthesis-job.js';
import { startOpenAi } from '../support/tts/cloud-engines.js';
import { startVoicevox } from '../support/tts/voicevox.js';
import { now, sleep } from './now.js';
import { spread } from './statistics.js';
import type { Bench, Row } from './table.js';

const ENGINE_MS = 300;
const TOKEN_MS = 50;
/** What a player holds before it needs more. */
const PLAYER_MS = 200;
const WORDS =
  'Hello there, I am the avatar of this page, and I speak while my text is still being written. The second sentence ' +
  'sounds as soon as the first has ended. A third one follows, which is longer than the others, so that there is time. ' +
  'And this is the end of it.';

/** How soon a text is heard, and how smoothly, through engines that stand in for real ones. */
export const text: Bench = {
  name: 'text',
  title: `Text to sound: an engine that takes ${ENGINE_MS} ms, a text written at ${1000 / TOKEN_MS} words a second`,
  async run(quick) {
    return [
      ...(await firstBlock(quick ? 3 : 40)),
      ...(await written(quick ? 'Hello there. I speak. It ends.' : WORDS)),
      ...(await interrupted(quick ? 2 : 20)),
      lips(),
      ...(await turns(quick ? 100_000 : 1_000_000)),
    ];
  },
};

/** The engine answers at once: what is left is ours, and one request on loopback. */
async function firstBlock(rounds: number): Promise<Row[]> {
  const server = await startOpenAi({ chunkBytes: 960, gapMs: 20 });
  const engine = createEngine('kokoro', { baseUrl: server.baseUrl });
  const bare: number[] = [];
  const own: number[] = [];
  const all: number[] = [];
  const request = { method: 'POST', body: '{"input":"A sentence."}' };
  for (let i = 0; i < rounds; i += 1) {
    const startMs = now();
    const response = await fetch(`${server.baseUrl}/v1/audio/speech`, request);
    const reader = response.body!.getReader();
    await reader.read();
    bare.push(now() - startMs);
    await reader.cancel();
    const watched = watchFirstBytes(engine);
    const saidMs = now();
    const blocks = open('A sentence.', watched.engine)[Symbol.asyncIterator]();
    await blocks.next();
    own.push(now() - watched.firstBytesMs());
    all.push(now() - saidMs);
    await blocks.return?.();
  }
  await server.close();
  const [ours, whole, theirs] = [spread(own), spread(all), spread(bare)];
  return [
    { what: 'first bytes of the engine to first sound, p50', figure: ours.p50, unit: 'ms', aim: '< 20 ms' },
    { what: 'the same, p99', figure: ours.p99, unit: 'ms', aim: '< 20 ms' },
    {
      what: 'text in to first sound, p50',
      figure: whole.p50,
      unit: 'ms',
      baseline: { what: 'bare fetch', figure: theirs.p50 },
    },
  ];
}

/** A text that is being written, against waiting until it is whole. */
async function written(words: string): Promise<Row[]> {
  // Two requests an utterance.
  const server = await startVoicevox({ delayMs: ENGINE_MS / 2 });
  const engine = createEngine('voicevox', { baseUrl: server.baseUrl, stream: false });
  const early = await play(engine, tokens(words));
  const startMs = now();
  let whole = '';
  for await (const token of tokens(words)) whole += token;
  const late = await play(engine, whole, startMs);
  await server.close();
  return [
    {
      what: 'first sound of a text being written',
      figure: early.firstMs,
      unit: 'ms',
      baseline: { what: 'when it is whole', figure: late.firstMs },
    },
    { what: 'silence between its sentences', figure: early.starvedMs, unit: 'ms', aim: '0 ms' },
  ];
}

async function play(engine: TtsEngine, said: string | AsyncIterable<string>, startMs = now()) {
  let firstMs = NaN;
  let endMs = NaN;
  let starvedMs = 0;
  for await (const block of open(said, engine)) {
    const atMs = now();
    if (Number.isNaN(firstMs)) firstMs = atMs - startMs;
    else starvedMs += Math.max(0, atMs - endMs);
    endMs = Math.max(Number.isNaN(endMs) ? atMs : endMs, atMs) + blockMs(block);
    await sleep(Math.max(0, endMs - PLAYER_MS - now()));
  }
  return { firstMs, starvedMs };
}

/** From the interruption to the moment when the engine has seen every request end. */
async function interrupted(rounds: number): Promise<Row[]> {
  const server = await startOpenAi({ chunkBytes: 480, gapMs: 20 });
  const engine = createEngine('kokoro', { baseUrl: server.baseUrl, parallel: 2 });
  const ends: number[] = [];
  for (let i = 0; i < rounds; i += 1) {
    const abort = new AbortController();
    const blocks = open(WORDS, engine, abort.signal)[Symbol.asyncIterator]();
    await blocks.next();
    while (server.active < 2) await sleep(1);
    const startMs = now();
    abort.abort(new Error('interrupted'));
    await blocks.next().catch(() => undefined);
    while (server.active > 0) await sleep(1);
    ends.push(now() - startMs);
  }
  await server.close();
  const { p50, max } = spread(ends);
  return [
    { what: 'interruption to last request ended, p50', figure: p50, unit: 'ms' },
    { what: 'the same, largest', figure: max, unit: 'ms' },
  ];
}

/** The longest time for which texts that are hard to cut, or a large dictionary, hold the event loop. */
async function turns(chars: number): Promise<Row[]> {
  const rows: Row[] = [];
  for (const part of ['. ', '[', '\n', '"(']) {
    const longestMs = await longestTurnMs(async () => {
      const items = scriptOf(part.repeat(chars / part.length));
      while (!(await items.next()).done);
    });
    const what = `${chars / 1000} kB of ${JSON.stringify(part)}, longest turn`;
    rows.push({ what, figure: longestMs, unit: 'ms', aim: '< 5 ms' });
  }
  const entries = Array.from({ length: 5000 }, (_, i) => [`単語${i}語`, `たんご${i}`] as const);
  const sentence = '単語12語と単語4999語があります。これは長い文です。';
  const longestMs = await longestTurnMs(async () => {
    const dictionary = new Dictionary(entries);
    await sleep(1);
    dictionary.apply(sentence.repeat(4));
  });
  rows.push({
    what: 'dictionary of 5,000 entries, longest turn',
    figure: longestMs,
    unit: 'ms',
    aim: '< 5 ms',
  });
  return rows;
}

async function longestTurnMs(work: () => Promise<void>): Promise<number> {
  let longestMs = 0;
  let working = true;
  const watching = (async () => {
    let lastMs = now();
    while (working) {
      await new Promise((resolve) => setImmediate(resolve));
      const atMs = now();
      longestMs = Math.max(longestMs, atMs - lastMs);
      lastMs = atMs;
    }
  })();
  await work();
  working = false;
  await watching;
  return longestMs;
}

/** The times in the lip commands against the engine's own, over a minute of speech. */
function lips(): Row {
  const phonemes = Array.from({ length: 600 }, () => ({ phoneme: 'a', durationMs: 100.37, last: true }));
  let worstMs = 0;
  let count = 0;
  for (const { atMs, command } of lipSyncLines('mei', phonemes)) {
    let ms = atMs;
    const lengths = command.split(',').filter((_, i) => i % 2 === 1);
    for (const length of lengths.slice(0, -1)) {
      ms += Number(length);
      count += 1;
      worstMs = Math.max(worstMs, Math.abs(ms - count * 100.37));
    }
  }
  return { what: 'lip commands over a minute, largest error', figure: worstMs, unit: 'ms', aim: '<= 1 ms' };
}

function open(
  said: string | AsyncIterable<string>,
  engine: TtsEngine,
  signal = new AbortController().signal,
): AsyncIterable<PcmBlock> {
  const speech = engine.name === 'voicevox' ? { voice: '3' } : {};
  return speechSound(said, { engine, speech }).open({ signal, info: () => undefined, warn: () => undefined });
}

async function* tokens(words: string): AsyncGenerator<string> {
  for (const word of words.match(/\s*\S+/g)!) {
    await sleep(TOKEN_MS);
    yield word;
  }
}

/** An engine that notes when its first bytes came. */
function watchFirstBytes(engine: TtsEngine): { engine: TtsEngine; firstBytesMs(): number } {
  let firstMs = NaN;
  const watched: TtsEngine = {
    name: engine.name,
    capabilities: engine.capabilities,
    voices: (signal) => engine.voices(signal),
    close: () => engine.close(),
    async *synthesise(said, speech, context) {
      for await (const part of engine.synthesise(said, speech, context)) {
        if (part.kind === 'audio' && Number.isNaN(firstMs)) firstMs = now();
        yield part;
      }
    },
  };
  return { engine: watched, firstBytesMs: () => firstMs };
}
