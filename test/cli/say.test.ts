import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { compareHeard } from '../../src/simulator/index.js';
import { command, inProcess, killCommands, type InProcessOptions } from '../support/command.js';
import { isAlive } from '../support/processes.js';
import { type ServiceRig, startService, until } from '../support/service-rig.js';
import { noise } from '../support/signals.js';
import { wavOf } from '../support/wav.js';

const folder = mkdtempSync(join(tmpdir(), 'say-command-'));
const file = (name: string): string => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let rig: ServiceRig | undefined;
afterEach(async () => {
  await killCommands();
  await rig?.close();
  rig = undefined;
});

/** A program for the tests, as `--program` names it: a script that Node runs. */
function script(name: string, code: string): string {
  writeFileSync(file(`${name}.mjs`), code);
  return `${JSON.stringify(process.execPath)} ${JSON.stringify(file(`${name}.mjs`))}`;
}

const word = noise(256 * 20, 9000, 1);
writeFileSync(file('word.wav'), wavOf(word));
const speaks = `import { appendFileSync, readFileSync } from 'node:fs';
let text = '';
for await (const chunk of process.stdin) text += chunk;
appendFileSync(${JSON.stringify(file('asked'))}, JSON.stringify({ text, parent: process.ppid }) + '\\n');
process.stdout.write(readFileSync(${JSON.stringify(file('word.wav'))}));`;
const asked = (): { text: string; parent: number }[] =>
  readFileSync(file('asked'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { text: string; parent: number });

const say = (args: string[], options?: InProcessOptions): ReturnType<typeof inProcess> =>
  inProcess(['say', '--port', String(rig!.port), ...args], options);

describe('say --program', () => {
  it('runs the program itself, not in the service, which needs no leave for it', async () => {
    rig = await startService();
    const avatar = await rig.avatar();
    const program = script('speaks', speaks);
    const args = ['--engine', 'program', '--program', program, '--lead-ms', '1000', 'Hello there.'];
    const run = command(['say', '--port', String(rig.port), ...args]);
    expect(await run.exit, run.err).toBe(0);
    expect(asked()).toEqual([{ text: 'Hello there.\n', parent: run.child.pid }]);
    expect(compareHeard(word, avatar.heard()).exact).toBe(true);
    expect(run.out.split('\n')).toEqual([
      'Hello there.: program, WAV, 16-bit PCM, 16000 Hz, mono',
      'Hello there.: speaking',
      'Hello there.: finished: heard 0.32 s of 0.32 s, no gaps',
      '',
    ]);
  });

  it('speaks while the text is written, and does what its tags, captions and dictionary say', async () => {
    rig = await startService();
    const avatar = await rig.avatar();
    rmSync(file('asked'), { force: true });
    writeFileSync(
      file('bridge.yaml'),
      [
        'engine: program',
        `engineOptions: { program: '${script('yaml', speaks)}' }`,
        'captions: { size: 5 }',
        'dictionary: { TTS: speech }',
        "tags: { nod: 'NOD|{model}', run: 'EXECUTE|calc.exe' }",
      ].join('\n'),
    );
    const text = new Readable({ read: () => undefined });
    const running = say(['--config', file('bridge.yaml'), '-'], { stdin: text });
    text.push('This is TTS. ');
    await until(() => avatar.report().samplesHeard > 2000);
    text.push('[nod] And [run] this too.');
    text.push(null);
    const run = await running;
    expect([run.exit, run.err]).toEqual([
      0,
      expect.stringMatching(/^warning: EXECUTE\|calc.exe is not sent: /),
    ]);
    expect(asked().map((one) => one.text)).toEqual(['This is speech.\n', 'And this too.\n']);
    const lines = avatar.report().commands.map(({ line }) => line);
    expect(lines).toContain('NOD|0');
    expect(lines.join()).not.toContain('EXECUTE');
    expect(lines.filter((line) => line.startsWith('CAPTION_START|'))).toHaveLength(2);
    const nod = avatar.report().commands.find(({ line }) => line === 'NOD|0')!;
    const caption = avatar.report().commands.findLast(({ line }) => line.startsWith('CAPTION_START|'))!;
    expect(Math.abs(nod.atMs - caption.atMs)).toBeLessThan(200);
  });

  it('reads standard input by --encoding, and refuses bytes of another one', async () => {
    rig = await startService();
    await rig.avatar();
    rmSync(file('asked'), { force: true });
    const program = script('encodings', speaks);
    const bytes = Buffer.from('82b182f182c982bf82cd81420d0a', 'hex');
    const args = ['--program', program, '-'];
    const read = await say(['--encoding', 'Shift_JIS', ...args], { stdin: Readable.from([bytes]) });
    expect([read.exit, read.err]).toEqual([0, '']);
    expect(asked().map((one) => one.text)).toEqual(['こんにちは。\n']);
    const wrong = await say(args, { stdin: Readable.from([bytes]) });
    expect(wrong.exit).not.toBe(0);
    expect(wrong.err).toMatch(/The text on standard input is not UTF-8 .*looks like Shift_JIS/);
    const plain = await say(['--engine', 'flite', '-'], { stdin: Readable.from([bytes]) });
    expect(plain.exit).not.toBe(0);
    expect(plain.err).toMatch(/not UTF-8 .*looks like Shift_JIS/);
    expect(asked()).toHaveLength(1);
  });

  it('takes sound without a head by --format', async () => {
    rig = await startService();
    const avatar = await rig.avatar();
    writeFileSync(file('word.pcm'), new Uint8Array(word.buffer));
    const program = script(
      'raw',
      `process.stdout.write((await import('node:fs')).readFileSync(${JSON.stringify(file('word.pcm'))}))`,
    );
    const run = await say(['--program', program, '--format', 's16le:16000:1', 'x']);
    expect([run.exit, run.err]).toEqual([0, '']);
    expect(compareHeard(word, avatar.heard()).samplesHeard).toBe(word.length);
  });

  it('says what is wrong with the program, and that another engine takes none', async () => {
    rig = await startService();
    await rig.avatar();
    const missing = await say(['--program', 'no-such-program-here', 'x']);
    expect(missing.exit).not.toBe(0);
    expect(missing.err).toMatch(/no-such-program-here, which is not on PATH/);
    const failing = await say([
      '--program',
      script('fails', `console.error('no voice'); process.exit(3)`),
      'x',
    ]);
    expect(failing.err).toMatch(/status 3: no voice/);
    const other = await say(['--engine', 'flite', '--program', 'id', 'x']);
    expect([other.exit, other.err]).toEqual([
      2,
      expect.stringContaining('--program is for --engine program'),
    ]);
    const raw = await say(['--format', 's16le:16000:1', 'x']);
    expect([raw.exit, raw.err]).toEqual([2, expect.stringContaining('--format is for --program')]);
    await until(() => rig!.bridge.agent().speeches.length === 0);
  });

  it('ends the program at Ctrl-C', async () => {
    rig = await startService();
    await rig.avatar();
    const hangs = script(
      'hangs',
      `import { readFileSync, writeFileSync } from 'node:fs';
process.stdout.write(readFileSync(${JSON.stringify(file('word.wav'))}).subarray(0, 4000));
writeFileSync(${JSON.stringify(file('pid'))}, String(process.pid));
setInterval(() => undefined, 1000);`,
    );
    const run = command(['say', '--port', String(rig.port), '--program', hangs, 'x']);
    await run.says(/x: speaking/);
    run.child.kill('SIGINT');
    expect(await run.exit).toBe(130);
    const pid = Number(readFileSync(file('pid'), 'utf8'));
    await until(() => !isAlive(pid));
  });
});
