import { describe, expect, it } from 'vitest';
import { createEngine } from '../../../src/tts/engines.js';
import { languageOf } from '../../../src/tts/engines/offline.js';
import { BUILT_IN_VOICE, describeWith } from '../../support/needs.js';
import { host, speak } from '../../support/tts/speak.js';

await describeWith([BUILT_IN_VOICE, 'espeak-ng'], 'the engine offline', () => {
  const engine = createEngine('offline', {}, host);

  it('speaks English with the built-in voice and other scripts with espeak-ng', async () => {
    const english = await speak(engine, 'Hello there.', { volume: 0.5 });
    expect(english.sampleRateHz).toBe(16_000);
    expect(english.phonemes.length).toBeGreaterThan(5);
    const japanese = await speak(engine, 'こんにちは');
    expect(japanese).toMatchObject({ sampleRateHz: 22_050, phonemes: [] });
    expect(japanese.ms).toBeGreaterThan(300);
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
    ['你好', 'cmn'],
    ['안녕', 'ko'],
    ['Привет', 'ru'],
  ])('%s is %s', (text, language) => {
    expect(languageOf(text)).toBe(language);
  });
});
