import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { createProgram } from '../src/cli/program.js';
import { Terminal } from '../src/cli/terminal.js';
import { parseCueFile } from '../src/speech/cue-file.js';
import { inProject } from './support/paths.js';
import { GENERATED_PAGES, USER_PAGES, withGenerated } from './support/readme.js';

const FLAG = /(?<![\w-])--[a-z][a-z-]+/g;

const read = (file: string): string => readFileSync(inProject(file), 'utf8');

/** Pages in English whose commands the Japanese page beside them shows too. */
const TRANSLATED = {
  'README.md': 'README.ja.md',
  'src/relay/README.md': 'src/relay/README.ja.md',
  'src/remdis/README.md': 'src/remdis/README.ja.md',
};

describe('the pages for users', () => {
  it.each(Object.entries(GENERATED_PAGES))(
    'have %s as in the code (npm run docs writes the tables)',
    async (name, file) => {
      expect(await withGenerated(read(file), name)).toBe(read(file));
    },
  );

  it.each(USER_PAGES)('%s links to files that exist', (file) => {
    const links = [...read(file).matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map((match) => match[1]!);
    for (const link of links) {
      const path = join(dirname(file), link);
      expect(() => readFileSync(inProject(path)), link).not.toThrow(/ENOENT/);
    }
  });

  it('have a README of at most 160 lines', () => {
    expect(read('README.md').split('\n').length).toBeLessThanOrEqual(161);
  });

  it('name every command, and only commands, flags and scripts that exist', async () => {
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
    const { scripts } = JSON.parse(read('package.json')) as { scripts: object };

    const table = /\n## Commands\n([^]*?)\n## /.exec(read('src/cli/README.md'))![1]!;
    const rows = [...table.matchAll(/^\| (`.*?) \|/gm)].map((match) => match[1]!);
    const listed = rows.flatMap((cell) => [...cell.matchAll(/`(\w+)/g)].map((match) => match[1]!));
    expect(listed.sort()).toEqual([...names].sort());
    const notes = readdirSync(inProject('native-notes')).filter((file) => file.endsWith('.md'));
    const samples = readdirSync(inProject('samples')).filter((file) => file.endsWith('.md'));
    const files = [
      ...USER_PAGES,
      ...samples.map((file) => `samples/${file}`),
      ...notes.map((file) => `native-notes/${file}`),
    ];
    for (const file of files) {
      const text = read(file);
      for (const [, name] of text.matchAll(/['`(^\n] *(?:mmdagent-bridge|npm run bridge --) ([a-z]+)/g))
        expect(names, file).toContain(name);
      for (const [, name] of text.matchAll(/npm run (?!-)([a-z]+)/g))
        expect(Object.keys(scripts), file).toContain(name);
    }
    // Flags of curl, npm and others stand in the other pages.
    for (const file of [
      'README.md',
      'README.ja.md',
      'src/cli/README.md',
      'src/relay/README.md',
      'src/remdis/README.md',
    ])
      for (const flag of read(file).match(FLAG) ?? []) expect([...flags], file).toContain(flag);
  });

  it.each(Object.entries(TRANSLATED))(
    '%s and its Japanese page show the same commands',
    (english, japanese) => {
      const commands = (text: string): string[] =>
        [...text.matchAll(/^ *((?:mmdagent-bridge|npm|curl|python3) .*?)(?: {2,}.*)?$/gm)].map(
          ([, line]) => line!,
        );
      const shown = commands(read(japanese));
      for (const command of commands(read(english))) expect(shown).toContain(command);
    },
  );

  it('show cue files that are ones', () => {
    const page = read('src/cli/README.md');
    const block = (language: string): string =>
      new RegExp('```' + language + '\\n([^`]*)```').exec(page)![1]!;
    const nod = { atMs: 1200, send: 'MOTION_ADD|0|nod|nod.vmd' };
    expect(parseCueFile(block('json'), 'the page')).toEqual([
      nod,
      { atMs: -500, send: 'MOTION_DELETE|0|nod', always: true },
    ]);
    expect(parseCueFile(block('vtt'), 'the page')).toEqual([nod]);
  });
});
