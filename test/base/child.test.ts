import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  findBatchFile,
  findProgram,
  type Program,
  type ProgramOptions,
  startProgram,
} from '../../src/base/child.js';
import { isAlive } from '../support/processes.js';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'child-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** A child that runs the given JavaScript: the same on every system, without a shell. */
function script(code: string, options?: ProgramOptions): Program {
  return startProgram(process.execPath, ['-e', code], options);
}

async function text(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts).toString();
}

async function* forever(
  size: number,
  count: { chunks: number; freed?: boolean },
): AsyncGenerator<Uint8Array> {
  try {
    for (;;) {
      count.chunks++;
      yield new Uint8Array(size);
    }
  } finally {
    count.freed = true;
  }
}

describe('findProgram', () => {
  it('finds an executable file on the given PATH, and nothing else of that name', async () => {
    const [plain, right, folderNamedSo] = ['plain', 'right', 'dir'].map((name) => join(folder, name));
    for (const path of [plain!, right!, join(folderNamedSo!, 'tool')]) await mkdir(path, { recursive: true });
    await writeFile(join(plain!, 'tool'), '', { mode: 0o644 });
    await writeFile(join(right!, 'tool'), '');
    await chmod(join(right!, 'tool'), 0o755);
    const path = [folderNamedSo, plain, right].join(':');
    expect(await findProgram('tool', { path, platform: 'linux' })).toBe(join(right!, 'tool'));
    expect(await findProgram('tool', { path: plain, platform: 'linux' })).toBeUndefined();
    expect(await findProgram('no-such-tool', { path, platform: 'linux' })).toBeUndefined();
  });

  it('ignores empty and relative entries of PATH', async () => {
    expect(await findProgram('package.json', { path: ':.:', platform: 'linux' })).toBeUndefined();
    expect(await findProgram('', { path: '/usr/bin', platform: 'linux' })).toBeUndefined();
  });

  it('tries the endings of Windows that start without a shell', async () => {
    const windows = join(folder, 'windows');
    await mkdir(windows);
    await writeFile(join(windows, 'rec.bat'), '', { mode: 0o755 });
    const search = { path: windows, pathExt: '.COM;.EXE;.BAT;.CMD', platform: 'win32' } as const;
    expect(await findProgram('rec', search)).toBeUndefined();
    await writeFile(join(windows, 'rec.exe'), '', { mode: 0o755 });
    expect(await findProgram('rec', search)).toBe(join(windows, 'rec.exe'));
    expect(await findProgram('rec.exe', search)).toBe(join(windows, 'rec.exe'));
  });

  it('names a batch file on Windows that it does not start', async () => {
    const batch = join(folder, 'batch');
    await mkdir(batch);
    await writeFile(join(batch, 'speak.cmd'), '', { mode: 0o755 });
    const search = { path: batch, platform: 'win32' } as const;
    for (const name of ['speak', 'speak.cmd', join(batch, 'speak.cmd')])
      expect(await findBatchFile(name, search)).toBe(join(batch, 'speak.cmd'));
    expect(await findBatchFile('other', search)).toBeUndefined();
    expect(await findBatchFile('speak', { ...search, platform: 'linux' })).toBeUndefined();
  });

  it('takes a path as it is, if it can be run', async () => {
    expect(await findProgram(process.execPath)).toBe(process.execPath);
    expect(await findProgram(join(folder, 'absent'))).toBeUndefined();
  });
});

describe('startProgram', () => {
  it('gives the output, the exit status and the last words', async () => {
    const lines: string[] = [];
    const program = script(
      "console.error('one\\ntwo'); process.stdout.write('sound', () => { process.exitCode = 3 })",
      {
        onStderrLine: (line) => lines.push(line),
      },
    );
    expect(await text(program.stdout)).toBe('sound');
    expect(await program.exit).toEqual({ code: 3, signal: null });
    expect(program.stderrTail()).toBe('one\ntwo');
    expect(lines).toEqual(['one', 'two']);
  });

  it('hands arguments over as they stand: nothing in them is a command', async () => {
    const odd = ['$(echo x)', '`id`', '; echo y', '"quoted"', 'a b', '*'];
    const program = startProgram(process.execPath, [
      '-p',
      'JSON.stringify(process.argv.slice(1))',
      '--',
      ...odd,
    ]);
    expect(JSON.parse(await text(program.stdout))).toEqual(odd);
  });

  it('carries megabytes from stdin to stdout unharmed', async () => {
    const source = Buffer.alloc(5_000_000, 'abcdefg');
    async function* chunks(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < source.length; at += 70_001) yield source.subarray(at, at + 70_001);
    }
    const program = script('process.stdin.pipe(process.stdout)', { stdin: chunks() });
    const parts: Uint8Array[] = [];
    for await (const chunk of program.stdout) parts.push(chunk);
    expect(Buffer.concat(parts).equals(source)).toBe(true);
    expect(await program.exit).toEqual({ code: 0, signal: null });
  });

  it('pulls no more input than the program reads', async () => {
    const count = { chunks: 0, freed: false };
    const program = script("console.log('up'); setInterval(() => {}, 1000)", {
      stdin: forever(65_536, count),
    });
    for await (const chunk of program.stdout) {
      expect(Buffer.from(chunk).toString()).toBe('up\n');
      await new Promise((resolve) => setTimeout(resolve, 200));
      break;
    }
    expect(count.chunks).toBeLessThan(20);
    expect(count.freed).toBe(true);
    expect(isAlive(program.pid!)).toBe(false);
  });

  it('survives a program that ends without reading its input', async () => {
    const count = { chunks: 0, freed: false };
    const program = script('process.exit(7)', { stdin: forever(65_536, count) });
    expect(await text(program.stdout)).toBe('');
    expect(await program.exit).toEqual({ code: 7, signal: null });
    await new Promise((resolve) => setImmediate(resolve));
    expect(count.freed).toBe(true);
  });

  it('throws what the input threw, after the program has ended', async () => {
    async function* broken(): AsyncGenerator<Uint8Array> {
      throw new Error('the source broke off');
    }
    const program = script('setInterval(() => {}, 1000)', { stdin: broken() });
    await expect(text(program.stdout)).rejects.toThrow('the source broke off');
    expect(isAlive(program.pid!)).toBe(false);
  });

  it('reports a program that is not there through exit, with no error left over', async () => {
    const missing = startProgram(join(folder, 'absent'), [], { stdin: forever(10, { chunks: 0 }) });
    expect(await text(missing.stdout)).toBe('');
    expect((await missing.exit).error?.message).toMatch(/ENOENT/);
    const impossible = startProgram('/bin/\0bad', [], { stdin: forever(10, { chunks: 0 }) });
    expect(await text(impossible.stdout)).toBe('');
    expect((await impossible.exit).error).toBeDefined();
    expect(await impossible.stop()).toEqual(await impossible.exit);
  });

  it('keeps a bounded tail of a flood of words', async () => {
    let longest = 0;
    const program = script(
      "for (let i = 0; i < 3e4; i++) process.stderr.write('x'.repeat(100)); console.error('end')",
      {
        onStderrLine: (line) => (longest = Math.max(longest, line.length)),
      },
    );
    await text(program.stdout);
    expect(program.stderrTail()).toMatch(/xend$/);
    expect(program.stderrTail().length).toBeLessThanOrEqual(4096);
    expect(longest).toBe(4096);
  });

  it('ends a program at abort and throws the reason', async () => {
    const abort = new AbortController();
    const program = script("console.log('up'); setInterval(() => {}, 1000)", { signal: abort.signal });
    const reading = (async () => {
      for await (const chunk of program.stdout) abort.abort(new Error(`enough after ${chunk.length}`));
    })();
    await expect(reading).rejects.toThrow('enough after 3');
    expect(await program.exit).toMatchObject({ code: null, signal: 'SIGTERM' });
  });

  it('ends at once when the signal was aborted before the start', async () => {
    const program = script('setInterval(() => {}, 1000)', {
      signal: AbortSignal.abort(new Error('too late')),
    });
    await expect(text(program.stdout)).rejects.toThrow('too late');
    expect(isAlive(program.pid!)).toBe(false);
  });

  it('kills one that ignores the polite signal, after the grace time', async () => {
    const program = script(
      "process.on('SIGTERM', () => {}); console.log('up'); setInterval(() => {}, 1000)",
      {
        graceMs: 50,
      },
    );
    await program.stdout[Symbol.asyncIterator]().next();
    void program.stop();
    expect(await program.exit).toEqual({ code: null, signal: 'SIGKILL' });
  });

  it('is not held by a grandchild that keeps the pipes open', async () => {
    const program = script(
      "const c = require('child_process').spawn(process.execPath, ['-e', 'setTimeout(() => {}, 5000)'], " +
        "{ stdio: 'inherit' }); c.unref(); console.log(c.pid); setInterval(() => {}, 1000)",
    );
    let grandchild = 0;
    const begun = performance.now();
    for await (const chunk of program.stdout) {
      grandchild = Number(Buffer.from(chunk).toString());
      break;
    }
    expect(performance.now() - begun).toBeLessThan(4500);
    expect(isAlive(program.pid!)).toBe(false);
    process.kill(grandchild, 'SIGKILL');
  });

  it('leaves no child behind when this process ends', async () => {
    const parent = join(folder, 'parent.mts');
    await writeFile(
      parent,
      `import { startProgram } from ${JSON.stringify(new URL('../../src/base/child.ts', import.meta.url).href)};
       const p = startProgram(process.execPath, ['-e', "process.on('SIGTERM', () => {}); console.log('up'); setInterval(() => {}, 1000)"]);
       for await (const _ of p.stdout) { console.log(p.pid); process.exit(0); }`,
    );
    const outer = startProgram(process.execPath, ['--import', 'tsx', parent]);
    const pid = Number(await text(outer.stdout));
    expect(outer.stderrTail()).toBe('');
    expect(pid).toBeGreaterThan(0);
    for (let i = 0; i < 100 && isAlive(pid); i++) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(isAlive(pid)).toBe(false);
  });
});
