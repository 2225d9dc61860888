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
  'bridge-say.ts': ['config.ts', 'audio', 'tts', 'speech', 'agent'],
  'bridge-config.ts': ['config.ts', 'bridge-say.ts', 'tts'],
  'bridge-agent.ts': ['bridge-say.ts', 'tts', 'speech', 'agent'],
  'bridge.ts': [
    'bridge-agent.ts',
    'bridge-say.ts',
    'audio',
    'source',
    'tts',
    'speech',
    'agent',
    'transport',
    'keeper',
    'config.ts',
  ],
  service: [
    'bridge.ts',
    'bridge-agent.ts',
    'bridge-say.ts',
    'config.ts',
    'audio',
    'source',
    'tts',
    'speech',
    'agent',
    'transport',
  ],
  cli: 'all',
  'index.ts': 'all',
  // It runs in a browser, where there is nothing else.
  console: [],
};

const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => /\.[jt]s$/.test(file));

function room(file: string): string {
  return file.split(sep)[0]!;
}

function importsOf(file: string): string[] {
  const text = readFileSync(join(src, file), 'utf8');
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map((match) =>
    relative(src, resolve(src, dirname(file), match[1]!)).replace(/\.js$/, '.ts'),
  );
}

describe('the ranks of src', () => {
  it('finds the source files', () => {
    expect(files.length).toBeGreaterThan(5);
  });

  it.each(files)('%s imports only what is below it', (file) => {
    const from = room(file);
    const allowed = mayImport[from];
    expect(allowed, `${from} has no rank: name it in this table`).toBeDefined();
    for (const imported of importsOf(file)) {
      const to = room(imported);
      if (to === from || (to === 'base' && from !== 'console') || allowed === 'all') continue;
      expect(allowed, `${file} imports ${imported}`).toContain(to);
    }
  });
});
