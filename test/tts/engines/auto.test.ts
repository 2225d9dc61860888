import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { EngineHost, TtsEngine } from '../../../src/tts/engine.js';
import { createEngine } from '../../../src/tts/engines.js';
import { languageOf } from '../../../src/tts/engines/auto.js';
import { speechSound } from '../../../src/tts/speech-sound.js';
import { BUILT_IN_VOICE, describeWith } from '../../support/needs.js';
import type { EngineServer } from '../../support/tts/engine-server.js';
import { FakeEngine } from '../../support/tts/fake-engine.js';
import { listen } from '../../support/tts/listen.js';
import { tone } from '../../support/tts/sound.js';
import { host, speak } from '../../support/tts/speak.js';
import { startVoicevox } from '../../support/tts/voicevox.js';
import { wavOf } from '../../support/wav.js';

const nowhere = 'http://127.0.0.1:9';
const noServers = { voicevox: nowhere, aivisspeech: nowhere, coeiroink: nowhere };
const alone: EngineHost = { ...host, japaneseServers: noServers };

let standIn: EngineServer | undefined;
let engine: TtsEngine | undefined;
afterEach(async () => {
  await engine?.close();
  await standIn?.close();
  standIn = engine = undefined;
});

await describeWith([BUILT_IN_VOICE], 'Japanese without a configuration', () => {
  it('is spoken by a VOICEVOX that answers at its port, sentence by sentence, and is named', async () => {
    standIn = await startVoicevox();
    engine = createEngine(
      'auto',
      {},
      { ...host, japaneseServers: { ...noServers, voicevox: standIn.baseUrl } },
    );
    const heard = listen(speechSound('Hello there. こんにちは。東京です。 Good bye.', { engine }));
    expect(await heard.done).toBeUndefined();
    expect(heard.segments.map(({ engine: name, said }) => [name, said])).toEqual([
      ['flite', 'Hello there.'],
      ['voicevox', 'こんにちは。'],
      ['voicevox', '東京です。'],
      ['flite', 'Good bye.'],
    ]);
    const ids = (await engine.voices(new AbortController().signal)).map(({ id }) => id);
    expect(ids).toEqual(expect.arrayContaining(['slt', '3']));
  });

  it('finds the engine by its options too, and the next one when the first is not there', async () => {
    standIn = await startVoicevox();
    engine = createEngine('auto', { ...noServers, aivisspeech: standIn.baseUrl }, host);
    const heard = listen(speechSound('こんにちは。', { engine }));
    expect(await heard.done).toBeUndefined();
    expect(heard.segments[0]!.engine).toBe('aivisspeech');
    expect(heard.infos[0]!.format).toMatch(/^aivisspeech, WAV/);
  });

  it.each(['こんにちは。', '東京都', 'Hello there. That is 日本語です。'])(
    'is refused before a sound is made where no engine speaks it: %s',
    async (text) => {
      engine = createEngine('auto', {}, alone);
      const heard = listen(speechSound(text, { engine }));
      expect(await heard.done).toMatchObject({
        code: 'LANGUAGE_UNSUPPORTED',
        advice: expect.stringMatching(/VOICEVOX.*open_jtalk.*--engine avatar/) as string,
      });
      expect(heard.ms).toBe(0);
    },
  );

  it('is refused before a sound is made where the text is still being written, too', async () => {
    engine = createEngine('auto', {}, alone);
    const written = (async function* () {
      yield 'Hello there. That is ';
      yield '日本語です。';
    })();
    const heard = listen(speechSound(written, { engine }));
    expect(await heard.done).toMatchObject({ code: 'LANGUAGE_UNSUPPORTED' });
    expect([heard.ms, heard.warnings]).toEqual([0, []]);
  });

  it.each(['flite', 'espeak'])('is refused by %s, which names the engine that runs', async (name) => {
    standIn = await startVoicevox();
    const own = createEngine(
      name,
      {},
      { ...host, japaneseServers: { ...noServers, voicevox: standIn.baseUrl } },
    );
    engine = own;
    const heard = listen(speechSound('漢字です。', { engine: own }));
    expect(await heard.done).toMatchObject({
      code: 'LANGUAGE_UNSUPPORTED',
      advice: `Use --engine voicevox: VOICEVOX runs at ${standIn.baseUrl}.`,
    });
    expect(heard.ms).toBe(0);
  });

  it('is given to the fallback sentence by sentence, and the rest stays with the engine', async () => {
    engine = createEngine('flite', {}, alone);
    const spare = new FakeEngine({ name: 'spare' });
    const text = 'One. 二です。三です。四です。 Five.';
    const heard = listen(speechSound(text, { engine, fallback: { engine: spare, speech: {} } }));
    expect(await heard.done).toBeUndefined();
    expect(spare.texts).toEqual(['二です。', '三です。', '四です。']);
    expect(heard.segments.at(-1)!.engine).toBe('flite');
    expect(heard.warnings).toHaveLength(1);
  });
});

describe('the engine open-jtalk', () => {
  const folder = mkdtempSync(join(tmpdir(), 'jtalk-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const program = join(folder, 'open_jtalk');
  const dictionaryFolder = join(folder, 'dic');
  const voiceFolder = join(folder, 'voices');
  mkdirSync(dictionaryFolder);
  mkdirSync(join(voiceFolder, 'mei'), { recursive: true });
  writeFileSync(join(dictionaryFolder, 'sys.dic'), '');
  for (const name of ['a.htsvoice', 'mei/mei_normal.htsvoice']) writeFileSync(join(voiceFolder, name), '');
  writeFileSync(join(folder, 'tone.wav'), wavOf(tone(300, 48_000), 48_000));
  writeFileSync(
    program,
    `#!/usr/bin/env node
const fs = require('node:fs');
const args = process.argv.slice(2);
const text = fs.readFileSync(0, 'utf8');
fs.writeFileSync(${JSON.stringify(join(folder, 'asked.json'))}, JSON.stringify({ args, text }));
fs.copyFileSync(${JSON.stringify(join(folder, 'tone.wav'))}, args[args.indexOf('-ow') + 1]);`,
    { mode: 0o755 },
  );
  const options = { program, dictionaryFolder, voiceFolder };

  it('speaks one line with its dictionary, its voice and the options of the speech', async () => {
    engine = createEngine('open-jtalk', options, host);
    const spoken = await speak(engine, '一行\n二行', { rate: 1.5, pitchSemitones: -2, volume: 0.5 });
    expect(spoken).toMatchObject({ sampleRateHz: 48_000, channels: 1 });
    expect(spoken.ms).toBeCloseTo(300, 0);
    const { readFileSync } = await import('node:fs');
    const asked = JSON.parse(readFileSync(join(folder, 'asked.json'), 'utf8')) as {
      args: string[];
      text: string;
    };
    expect(asked.text).toBe('一行 二行\n');
    const valueOf = (flag: string): string => asked.args[asked.args.indexOf(flag) + 1]!;
    expect([valueOf('-x'), valueOf('-m')]).toEqual([
      dictionaryFolder,
      join(voiceFolder, 'mei/mei_normal.htsvoice'),
    ]);
    expect(['-r', '-fm', '-g'].map((flag) => Number(valueOf(flag)).toFixed(1))).toEqual([
      '1.5',
      '-2.0',
      '-6.0',
    ]);
    expect(await engine.voices(new AbortController().signal)).toEqual([
      { id: 'mei_normal', name: 'mei_normal', language: 'ja' },
      { id: 'a', name: 'a', language: 'ja' },
    ]);
  });

  it.each([
    [{ program: 'no-such-open-jtalk' }, /needs the program no-such-open-jtalk/],
    [{ dictionaryFolder: '/nowhere' }, /no dictionary .* in \/nowhere/],
    [{ voiceFolder: '/nowhere' }, /no voice .* in \/nowhere/],
  ])('says what is missing: %j', async (missing, message) => {
    engine = createEngine('open-jtalk', { ...options, ...missing }, host);
    await expect(engine.voices(new AbortController().signal)).rejects.toMatchObject({
      code: 'ENGINE_MISSING',
      message: expect.stringMatching(message) as string,
      advice: expect.stringMatching(/apt install open-jtalk/) as string,
    });
  });
});

await describeWith([BUILT_IN_VOICE, 'espeak-ng'], 'the engine auto', () => {
  const engine = createEngine('auto', {}, alone);

  it('speaks English with the built-in voice and other scripts with espeak-ng', async () => {
    const english = await speak(engine, 'Hello there.', { volume: 0.5 });
    expect(english.sampleRateHz).toBe(16_000);
    expect(english.phonemes.length).toBeGreaterThan(5);
    const russian = await speak(engine, 'Здравствуйте');
    expect(russian).toMatchObject({ sampleRateHz: 22_050, phonemes: [] });
    expect(russian.ms).toBeGreaterThan(300);
  });

  it('follows the language and the voice that are asked for', async () => {
    expect((await speak(engine, 'Guten Tag', { language: 'de' })).sampleRateHz).toBe(22_050);
    expect((await speak(engine, 'Hello', { voice: 'rms' })).sampleRateHz).toBe(16_000);
    expect((await speak(engine, 'Hello', { voice: 'en-gb' })).sampleRateHz).toBe(22_050);
  });

  it('lists the voices of both', async () => {
    const ids = (await engine.voices(new AbortController().signal)).map(({ id }) => id);
    expect(ids).toEqual(expect.arrayContaining(['slt', 'ja']));
    await engine.close();
  });
});

describe('languageOf', () => {
  it.each([
    ['Hello', undefined],
    ['', undefined],
    ['今日は', 'ja'],
    ['东京很好', 'cmn'],
    ['你好', 'cmn'],
    ['東京', 'ja'],
    ['안녕', 'ko'],
    ['Привет', 'ru'],
  ])('%s is %s', (text, language) => {
    expect(languageOf(text)).toBe(language);
  });
});
