import { describe, expect, it } from 'vitest';
import { createEngine, ENGINES } from '../../src/tts/engines.js';
import { tone } from '../support/tts/sound.js';
import { host, speak } from '../support/tts/speak.js';
import { wavOf } from '../support/wav.js';

describe('the table of engines', () => {
  it('has each name once, with a summary', () => {
    const names = ENGINES.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const { summary } of ENGINES) expect(summary).not.toBe('');
  });

  it('makes every engine of its defaults, where it has any', () => {
    const needed: Record<string, object> = { program: { program: 'say {text}' } };
    for (const { name } of ENGINES) {
      const engine = createEngine(name, needed[name], host);
      expect(engine.name).toBe(name);
      expect(engine.capabilities.parallel).toBeGreaterThanOrEqual(1);
    }
  });

  it('describes every option', () => {
    for (const { name, options } of ENGINES) {
      for (const [option, schema] of Object.entries(options.shape)) {
        expect((schema as { description?: string }).description, `${name}.${option}`).toBeTruthy();
      }
    }
  });

  it.each<[string, object, string, RegExp]>([
    ['nope', {}, 'ENGINE_UNKNOWN', /no engine 'nope'. There are auto, flite, espeak, voicevox/],
    ['voicevox', { sped: 1 }, 'OPTION_INVALID', /The engine voicevox has no option 'sped'/],
    [
      'voicevox',
      { baseUrl: 'localhost:50021' },
      'OPTION_INVALID',
      /'baseUrl' of the engine voicevox .*http:\/\//,
    ],
    ['voicevox', { baseUrl: 'file:///etc/passwd' }, 'OPTION_INVALID', /baseUrl/],
    ['voicevox', { intonationScale: 9 }, 'OPTION_INVALID', /intonationScale/],
    ['program', {}, 'OPTION_INVALID', /'program' of the engine program/],
    ['openai', { key: 'sk-123456' }, 'OPTION_INVALID', /no option 'key'/],
  ])('refuses %s with %j', (name, options, code, message) => {
    expect(() => createEngine(name, options, host)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) as string }) as Error,
    );
  });

  it("takes a user's own function", async () => {
    const asked: string[] = [];
    const engine = createEngine(async function* (text, signal) {
      asked.push(`${text} ${signal.aborted}`);
      yield wavOf(tone(120, 16_000), 16_000).subarray(0, 1000);
      yield wavOf(tone(120, 16_000), 16_000).subarray(1000);
    });
    expect((await speak(engine, 'Hello', { volume: 0.5 })).peak).toBeCloseTo(0.25, 2);
    expect(asked).toEqual(['Hello false']);
  });

  it('tells an engine that gives no sound', async () => {
    const silent = createEngine(async function* () {
      /* nothing */
    });
    await expect(speak(silent, 'Hello')).rejects.toMatchObject({
      code: 'ENGINE_FAILED',
      message: expect.stringMatching(/The engine own engine gave no sound/) as string,
    });
  });
});
