import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { splitCommand } from '../../../src/tts/engines/program.js';
import { createEngine } from '../../../src/tts/engines.js';
import { parseVoices } from '../../../src/tts/engines/espeak.js';
import { describeWith } from '../../support/needs.js';
import { isAlive } from '../../support/processes.js';
import { bytesOf } from '../../support/sound.js';
import { tone } from '../../support/tts/sound.js';
import { host, speak } from '../../support/tts/speak.js';
import { wavOf } from '../../support/wav.js';

const folder = mkdtempSync(join(tmpdir(), 'bridge-tts-'));
const node = JSON.stringify(process.execPath);
const signal = new AbortController().signal;

/** A program for the tests: a script that Node runs. */
function script(name: string, code: string): string {
  const path = join(folder, `${name}.mjs`);
  writeFileSync(path, code);
  return `${node} ${JSON.stringify(path)}`;
}

const wavFile = join(folder, 'voice.wav');
writeFileSync(wavFile, wavOf(tone(300, 16_000), 16_000));
const writesWav = `import { readFileSync, writeFileSync } from 'node:fs';
let input = '';
for await (const chunk of process.stdin) input += chunk;
writeFileSync(${JSON.stringify(join(folder, 'seen.json'))}, JSON.stringify({ args: process.argv.slice(2), input }));
process.stdout.write(readFileSync(${JSON.stringify(wavFile)}));`;
const seen = (): unknown => JSON.parse(readFileSync(join(folder, 'seen.json'), 'utf8'));

describe('the engine program', () => {
  it('hands the text over as an argument, with no shell to read it', async () => {
    const program = `${script('args', writesWav)} -v {voice} --speed={rate} {text}`;
    const text = '$(touch x) `id` "quoted"; rm -rf * あ';
    const spoken = await speak(createEngine('program', { program }, host), text, { voice: 'en', rate: 1.5 });
    expect(spoken.ms).toBeCloseTo(300, 3);
    expect(seen()).toEqual({ args: ['-v', 'en', '--speed=1.5', text], input: '' });
  });

  it('hands it over on standard input when the program has no place for it', async () => {
    await speak(createEngine('program', { program: script('stdin', writesWav) }, host), 'こんにちは');
    expect(seen()).toEqual({ args: [], input: 'こんにちは\n' });
  });

  it('never lets a text become an option', async () => {
    const engine = createEngine('program', { program: `${script('dash', writesWav)} {text}` }, host);
    await speak(engine, '--output=/etc/passwd');
    expect(seen()).toMatchObject({ args: [' --output=/etc/passwd'] });
  });

  it('takes headerless sound of a named format', async () => {
    const raw = join(folder, 'raw.pcm');
    writeFileSync(raw, bytesOf(tone(250, 22_050)));
    const program = script(
      'raw',
      `process.stdout.write((await import('node:fs')).readFileSync(${JSON.stringify(raw)}))`,
    );
    const spoken = await speak(createEngine('program', { program, format: 's16le:22050:1' }, host), 'x');
    expect(spoken.sampleRateHz).toBe(22_050);
    expect(spoken.ms).toBeCloseTo(250, 0);
  });

  it.each<[string, string, object, string, RegExp]>([
    [
      'fails',
      `console.error('no such voice'); process.exit(3)`,
      {},
      'ENGINE_FAILED',
      /failed with status 3: no such voice/,
    ],
    [
      'writes nothing',
      `console.error('model missing')`,
      {},
      'ENGINE_FAILED',
      /wrote no sound: model missing/,
    ],
    ['hangs', `setInterval(() => {}, 1000)`, { idleMs: 400 }, 'ENGINE_TIMEOUT', /wrote nothing for 400 ms/],
    ['writes something else', `console.log('usage: x '.repeat(20))`, {}, 'ENGINE_FAILED', /usage: x/],
  ])('tells a program that %s', async (name, code, options, errorCode, message) => {
    const program = script(name.replaceAll(' ', '-'), code);
    await expect(speak(createEngine('program', { program, ...options }, host), 'x')).rejects.toMatchObject({
      code: errorCode,
      message: expect.stringMatching(message) as string,
    });
  });

  it('ends the program when the utterance is given up', async () => {
    const pidFile = join(folder, 'pid');
    const program = script(
      'slow',
      `import { writeFileSync, readFileSync } from 'node:fs';
      process.stdout.write(readFileSync(${JSON.stringify(wavFile)}).subarray(0, 2000));
      writeFileSync(${JSON.stringify(pidFile)}, String(process.pid)); setInterval(() => {}, 1000);`,
    );
    const abort = new AbortController();
    const speaking = speak(createEngine('program', { program }, host), 'x', {}, abort.signal);
    speaking.catch(() => undefined);
    let pid = 0;
    await expect.poll(() => (pid = Number(read(pidFile)))).toBeGreaterThan(0);
    abort.abort(new Error('enough'));
    await expect(speaking).rejects.toThrow('enough');
    await expect.poll(() => isAlive(pid)).toBe(false);
  });

  it.each<[string, string, RegExp]>([
    ['say {words}', 'OPTION_INVALID', /\{words\}, which is none of \{text\}/],
    ['say "x', 'OPTION_INVALID', /quote/],
    ['{text}', 'OPTION_INVALID', /fixed name/],
    [' ', 'OPTION_INVALID', /empty/],
  ])('refuses the program %j', (program, code, message) => {
    expect(() => createEngine('program', { program }, host)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) as string }) as Error,
    );
  });

  it('names what is missing: the program, the voice', async () => {
    const missing = createEngine('program', { program: 'no-such-program-here {text}' }, host);
    await expect(speak(missing, 'x')).rejects.toMatchObject({ code: 'ENGINE_MISSING' });
    const voiceless = createEngine('program', { program: `${node} {voice}` }, host);
    await expect(speak(voiceless, 'x')).rejects.toMatchObject({ code: 'OPTION_INVALID' });
  });
});

describe('splitCommand', () => {
  it.each<[string, string[]]>([
    ['espeak-ng --stdout -v en {text}', ['espeak-ng', '--stdout', '-v', 'en', '{text}']],
    [`a "b c" 'd "e' f"g"h`, ['a', 'b c', 'd "e', 'fgh']],
    [
      String.raw`"C:\Program Files\x.exe" C:\tools\y.exe a\ b \"q`,
      [String.raw`C:\Program Files\x.exe`, String.raw`C:\tools\y.exe`, 'a b', '"q'],
    ],
    [`x "" ''`, ['x', '', '']],
  ])('%s', (line, words) => {
    expect(splitCommand(line)).toEqual(words);
  });
});

describe('the engine piper, as a program', () => {
  it('runs it with the model, the text as one line, and the rate beside the model', async () => {
    const model = join(folder, 'voice.onnx');
    writeFileSync(`${model}.json`, JSON.stringify({ audio: { sample_rate: 16_000 } }));
    const raw = join(folder, 'piper.pcm');
    writeFileSync(raw, bytesOf(tone(200, 16_000)));
    const program = join(folder, 'piper');
    writeFileSync(
      program,
      `#!${process.execPath}\nlet input = ''; process.stdin.on('data', (d) => (input += d)).on('end', () => {
      const fs = require('node:fs'); fs.writeFileSync(${JSON.stringify(join(folder, 'seen.json'))}, JSON.stringify({ args: process.argv.slice(2), input }));
      process.stdout.write(fs.readFileSync(${JSON.stringify(raw)})); });`,
      { mode: 0o755 },
    );
    const spoken = await speak(createEngine('piper', { model, program }, host), 'Two\n lines.', { rate: 2 });
    expect(spoken).toMatchObject({ sampleRateHz: 16_000 });
    expect(seen()).toEqual({
      args: ['--model', model, '--output-raw', '--length-scale', '0.5'],
      input: 'Two lines.\n',
    });
  });
});

await describeWith(['espeak-ng'], 'the engine espeak with its program', () => {
  const engine = createEngine('espeak', {}, host);

  it('speaks, faster and slower, louder and quieter', async () => {
    const plain = await speak(engine, 'Hello there, how are you today?');
    expect(plain).toMatchObject({ sampleRateHz: 22_050, warnings: [] });
    expect(plain.ms).toBeGreaterThan(1000);
    const fast = await speak(engine, 'Hello there, how are you today?', { rate: 2, volume: 0.3 });
    expect(fast.ms).toBeLessThan(plain.ms * 0.7);
    expect(fast.peak).toBeLessThan(plain.peak * 0.6);
  });

  it('speaks a text that looks like an option, and other languages', async () => {
    expect((await speak(engine, '--version')).ms).toBeGreaterThan(300);
    expect((await speak(engine, 'Guten Tag', { language: 'de' })).peak).toBeGreaterThan(0.1);
  });

  it('lists voices', async () => {
    const voices = await engine.voices(signal);
    expect(voices.find(({ id }) => id === 'de')).toMatchObject({ name: 'German', language: 'de' });
  });

  it('tells a voice that is not there', async () => {
    await expect(speak(engine, 'x', { voice: 'klingon-x' })).rejects.toMatchObject({
      code: 'ENGINE_FAILED',
    });
  });
});

describe('the engine espeak', () => {
  it('reads the table of voices', () => {
    const table = `Pty Language       Age/Gender VoiceName          File                 Other Languages
 5  af              --/M      Afrikaans          gmw/af
 2  en-gb           --/M      English_(Great_Britain) gmw/en               (en 2)`;
    expect(parseVoices(table)).toEqual([
      { id: 'af', name: 'Afrikaans', language: 'af' },
      { id: 'en-gb', name: 'English (Great Britain)', language: 'en-gb' },
    ]);
  });

  it('says how to get the program where it is missing', async () => {
    const engine = createEngine('espeak', { program: 'espeak-that-is-not-there' }, host);
    const error = {
      code: 'ENGINE_MISSING',
      advice: expect.stringContaining('apt install espeak-ng') as string,
    };
    await expect(speak(engine, 'x')).rejects.toMatchObject(error);
    await expect(engine.voices(signal)).rejects.toMatchObject(error);
  });
});

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
