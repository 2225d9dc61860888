import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { describe, expect, it } from 'vitest';
import { projectDir } from './support/paths.js';

const src = join(projectDir, 'src');

/** Which folder (or root file) of `src/` may import which others. `base` is allowed everywhere but in the console. */
const mayImport: Record<string, readonly string[] | 'all'> = {
  base: [],
  audio: [],
  source: ['audio'],
  tts: ['audio', 'source'],
  speech: ['audio'],
  agent: ['audio', 'speech'],
  transport: ['agent', 'keeper'],
  simulator: ['audio'],
  keeper: [],
  'config.ts': [],
  narration: ['config.ts', 'audio', 'source', 'tts', 'speech', 'agent'],
  'bridge.ts': [
    'remdis',
    'relay',
    'audio',
    'source',
    'tts',
    'speech',
    'agent',
    'narration',
    'transport',
    'keeper',
    'config.ts',
  ],
  service: [
    ...['bridge.ts', 'config.ts', 'audio', 'source', 'tts', 'speech', 'agent', 'narration', 'transport'],
    // Loaded when `--nats` is given, and given the service's own parts then.
    'cluster',
  ],
  relay: ['config.ts', 'agent', 'speech'],
  remdis: ['agent', 'speech', 'tts'],
  cluster: ['service', 'bridge.ts', 'config.ts', 'audio', 'source', 'agent', 'transport'],
  cli: 'all',
  'index.ts': 'all',
  'on-demand.ts': 'all',
  // It runs in a browser, where there is nothing else.
  console: [],
};

/** Folders of which only types may be imported besides: they cost nothing at run time. */
const mayImportTypes: Record<string, readonly string[]> = {
  // `Agent.say` takes a voice, tags and a dictionary; the narrator that uses them is given to it.
  agent: ['tts'],
};

const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => /\.[jt]s$/.test(file));

function room(file: string): string {
  return file.split(sep)[0]!;
}

interface Import {
  readonly file: string;
  readonly typesOnly: boolean;
}

const IMPORT =
  /(?:\b(?:import|export)\s+(type\s)?[^;'"]*?\bfrom\s*|\bimport\s*\(\s*|^import\s*)'(\.[^']+)'/gm;

function importsOf(file: string): Import[] {
  const text = readFileSync(join(src, file), 'utf8');
  return [...text.matchAll(IMPORT)].map(([, type, path]) => ({
    file: relative(src, resolve(src, dirname(file), path!)).replace(/\.js$/, '.ts'),
    typesOnly: type !== undefined,
  }));
}

/** Files that import one another, directly or through others: each group once. */
function circlesOf(imports: ReadonlyMap<string, readonly Import[]>): string[][] {
  const circles: string[][] = [];
  const order = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const visit = (file: string): void => {
    order.set(file, order.size);
    low.set(file, order.get(file)!);
    stack.push(file);
    for (const { file: next } of imports.get(file) ?? []) {
      if (!imports.has(next)) continue;
      if (!order.has(next)) visit(next);
      if (stack.includes(next)) low.set(file, Math.min(low.get(file)!, low.get(next)!));
    }
    if (low.get(file) !== order.get(file)) return;
    const circle = stack.splice(stack.indexOf(file));
    if (circle.length > 1) circles.push(circle.sort());
  };
  for (const file of imports.keys()) if (!order.has(file)) visit(file);
  return circles;
}

describe('the ranks of src', () => {
  it('finds the source files and their imports', () => {
    expect(files.length).toBeGreaterThan(5);
    expect(importsOf('bridge.ts').map(({ file }) => file)).toContain(join('agent', 'agent.ts'));
    expect(importsOf('index.ts').length).toBeGreaterThan(10);
  });

  it.each(files)('%s imports only what is below it', (file) => {
    const from = room(file);
    const allowed = mayImport[from];
    expect(allowed, `${from} has no rank: name it in this table`).toBeDefined();
    for (const { file: imported, typesOnly } of importsOf(file)) {
      const to = room(imported);
      if (to === from || (to === 'base' && from !== 'console') || allowed === 'all') continue;
      if (typesOnly && mayImportTypes[from]?.includes(to)) continue;
      expect(allowed, `${file} imports ${imported}`).toContain(to);
    }
  });

  it('finds a circle of imports', () => {
    const to = (file: string): Import => ({ file, typesOnly: false });
    const imports = new Map([
      ['a.ts', [to('b.ts')]],
      ['b.ts', [to('c.ts'), to('d.ts')]],
      ['c.ts', [to('a.ts')]],
      ['d.ts', []],
    ]);
    expect(circlesOf(imports)).toEqual([['a.ts', 'b.ts', 'c.ts']]);
  });

  it('has no files that import one another', () => {
    const imports = new Map(files.map((file) => [file, importsOf(file)]));
    const circles = circlesOf(imports);
    expect(circles).toEqual([]);
  });
});
