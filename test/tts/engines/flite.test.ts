import { spawnSync } from 'node:child_process';
import { afterAll, describe, expect, it } from 'vitest';
import { createEngine } from '../../../src/tts/engines.js';
import { parseSegments } from '../../../src/tts/engines/flite.js';
import { BUILT_IN_VOICE, describeWith } from '../../support/needs.js';
import { inProject } from '../../support/paths.js';
import { host, speak, totalMs } from '../../support/tts/speak.js';

const engine = createEngine('flite', {}, host);
afterAll(() => engine.close());

await describeWith([BUILT_IN_VOICE], 'the engine flite', () => {
  it('speaks English in 16 kHz mono, with phonemes that last as long as the sound', async () => {
    const spoken = await speak(engine, 'Hello there. How are you?');
    expect(spoken).toMatchObject({ sampleRateHz: 16_000, channels: 1, warnings: [] });
    expect(spoken.ms).toBeGreaterThan(1000);
    expect(spoken.peak).toBeGreaterThan(0.1);
    expect(Math.abs(totalMs(spoken.phonemes) - spoken.ms)).toBeLessThan(10);
    expect(spoken.phonemes.slice(0, 5).map(({ phoneme }) => phoneme)).toEqual(['pau', 'hh', 'ax', 'l', 'ow']);
  });

  it('speaks faster, in another voice, and several utterances at once', async () => {
    const [plain, fast, other] = await Promise.all([
      speak(engine, 'This is a test.'),
      speak(engine, 'This is a test.', { rate: 2 }),
      speak(engine, 'This is a test.', { voice: 'kal16', pitchSemitones: 4 }),
    ]);
    expect(fast.ms / plain.ms).toBeGreaterThan(0.4);
    expect(fast.ms / plain.ms).toBeLessThan(0.6);
    expect(other.ms).not.toBe(plain.ms);
  });

  it('reads accents and typographic marks, and says so of what it cannot read', async () => {
    const spoken = await speak(engine, '“Naïve” — -t isn’t an option…');
    expect(spoken.phonemes.map(({ phoneme }) => phoneme).join(' ')).toContain('n ay iy v');
    await expect(speak(engine, 'こんにちは')).rejects.toThrow(/cannot speak Japanese: 'こんにちは'/);
    await expect(speak(engine, 'Hello', { voice: 'nope' })).rejects.toMatchObject({ code: 'VOICE_UNKNOWN' });
  });

  it('gives an utterance up when it is aborted, and speaks the next', async () => {
    const abort = new AbortController();
    const speaking = speak(engine, 'A sentence that nobody wants to hear. '.repeat(5), {}, abort.signal);
    setTimeout(() => abort.abort(new Error('enough')), 5);
    await expect(speaking).rejects.toThrow('enough');
    expect((await speak(engine, 'Next.')).ms).toBeGreaterThan(200);
  });

  it('speaks on and on: a run leaves nothing behind that harms a later one', async () => {
    // Under node:wasi the process died at the third of these.
    const first = await speak(engine, 'One two three four five six seven eight nine ten.');
    for (let count = 0; count < 30; count += 1) {
      const again = await speak(engine, 'One two three four five six seven eight nine ten.');
      expect([again.ms, again.peak]).toEqual([first.ms, first.peak]);
    }
  });

  it('does not keep a process alive, and writes nothing to its output', async () => {
    const code = `import { createEngine } from ${JSON.stringify(inProject('src/tts/engines.ts'))};
      const engine = createEngine('flite'); engine.prepare?.();
      const context = { signal: new AbortController().signal, warn() {} };
      for await (const part of engine.synthesise('Hi.', {}, context)) if (part.kind === 'audio') console.log('ok');`;
    const run = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], {
      cwd: inProject('.'),
      encoding: 'utf8',
      timeout: 25_000,
    });
    expect([run.status, run.stdout.trim(), run.stderr.trim()]).toEqual([0, 'ok', '']);
  });
});

describe('the engine flite', () => {
  it('says what to install where it is missing', async () => {
    const missing = createEngine('flite', { wasmFile: '/nowhere/flite.wasm' }, host);
    const error = {
      code: 'ENGINE_MISSING',
      message: expect.stringContaining('/nowhere/flite.wasm') as string,
    };
    await expect(speak(missing, 'Hello')).rejects.toMatchObject(error);
    await expect(missing.voices(new AbortController().signal)).rejects.toMatchObject(error);
  });

  it('tells a voice file that is none, and goes on', async () => {
    const broken = createEngine('flite', { wasmFile: inProject('package.json') }, host);
    await expect(speak(broken, 'Hello')).rejects.toMatchObject({ code: 'ENGINE_FAILED' });
    await broken.close();
  });

  it('reads phonemes with the times at which they end', () => {
    expect(parseSegments('pau:0.164 hh:0.255 ax:0.304 \n')).toEqual([
      { phoneme: 'pau', durationMs: 164, last: true },
      { phoneme: 'hh', durationMs: 91, last: false },
      { phoneme: 'ax', durationMs: 49, last: true },
    ]);
  });
});
