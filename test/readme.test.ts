import { readdirSync, readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { createProgram } from '../src/cli/program.js';
import { Terminal } from '../src/cli/terminal.js';
import { parseCueFile } from '../src/speech/cue-file.js';
import { inProject } from './support/paths.js';
import { withGenerated } from './support/readme.js';

const FLAG = /(?<![\w-])--[a-z][a-z-]+/g;

describe('the README', () => {
  const readme = readFileSync(inProject('README.md'), 'utf8');

  it('agrees with the tables in the code (npm run docs writes them anew)', async () => {
    expect(await withGenerated(readme)).toBe(readme);
  });

  it('links to files that exist', () => {
    const links = [...readme.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map((match) => match[1]!);
    for (const link of links) expect(() => readFileSync(inProject(link)), link).not.toThrow(/ENOENT/);
  });

  it('names every command, and only commands, flags and scripts that exist', async () => {
    const silent = { write: () => true };
    const never = (): (() => void) => () => undefined;
    const commands = await createProgram({
      terminal: new Terminal(silent, silent),
      stdin: Readable.from([]),
      env: {},
      onInterrupt: never,
      onOutputGone: never,
    }).help();
    const names = commands.map(({ name }) => name);
    const flags = new Set(commands.flatMap(({ help }) => help.match(FLAG) ?? []));
    const { scripts } = JSON.parse(readFileSync(inProject('package.json'), 'utf8')) as { scripts: object };

    const table = /\n## Commands\n([^]*?)\n## /.exec(readme)![1]!;
    const rows = [...table.matchAll(/^\| (`.*?) \|/gm)].map((match) => match[1]!);
    const listed = rows.flatMap((cell) => [...cell.matchAll(/`(\w+)/g)].map((match) => match[1]!));
    expect(listed.sort()).toEqual([...names].sort());
    const notes = readdirSync(inProject('native-notes')).filter((file) => file.endsWith('.md'));
    const files = [
      'README.md',
      'samples/README.md',
      'samples/existing.md',
      'samples/existing.ja.md',
      ...notes.map((file) => `native-notes/${file}`),
    ];
    for (const file of files) {
      const text = readFileSync(inProject(file), 'utf8');
      for (const [, name] of text.matchAll(/['`(^\n] *(?:mmdagent-bridge|npm run bridge --) ([a-z]+)/g))
        expect(names, file).toContain(name);
      for (const [, name] of text.matchAll(/npm run (?!-)([a-z]+)/g))
        expect(Object.keys(scripts), file).toContain(name);
    }
    for (const flag of readme.match(FLAG) ?? []) expect([...flags], 'the README').toContain(flag);
  });

  it('shows cue files that are ones', () => {
    const block = (language: string): string =>
      new RegExp('```' + language + '\\n([^`]*)```').exec(readme)![1]!;
    const nod = { atMs: 1200, send: 'MOTION_ADD|0|nod|nod.vmd' };
    expect(parseCueFile(block('json'), 'the README')).toEqual([
      nod,
      { atMs: -500, send: 'MOTION_DELETE|0|nod', always: true },
    ]);
    expect(parseCueFile(block('vtt'), 'the README')).toEqual([nod]);
  });
});
