import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import * as library from '../src/index.js';
import { projectDir } from './support/paths.js';

/** Files and packages that an import of the package loads: everything that is not imported when it is first called. */
async function loadedOnImport(): Promise<{ files: string[]; packages: string[] }> {
  const { metafile } = await build({
    entryPoints: ['src/index.ts'],
    absWorkingDir: projectDir,
    ...({ bundle: true, splitting: true, format: 'esm', platform: 'node', packages: 'external' } as const),
    ...{ write: false, metafile: true, outdir: 'unused' },
  });
  const files = new Set(['src/index.ts']);
  const packages = new Set<string>();
  for (const file of files) {
    for (const { path, kind, external } of metafile.inputs[file]?.imports ?? []) {
      if (kind === 'dynamic-import' || path.startsWith('node:')) continue;
      if (external) packages.add(path);
      else files.add(path);
    }
  }
  return { files: [...files], packages: [...packages] };
}

describe('the package', () => {
  it('loads no server, no decoder and no engine when it is imported', async () => {
    const { files, packages } = await loadedOnImport();
    expect(packages).toEqual(['node-record-lpcm16']);
    expect(files.length).toBeGreaterThan(20);
    const late =
      /^src\/(bridge\.ts|service|transport|keeper|narration|cluster|relay|audio\/decode|tts\/engine)/;
    expect(files.filter((file) => late.test(file))).toEqual([]);
  });

  it('has message builders in one namespace, and no parts of a bridge', () => {
    expect(library.commands.motion.add('0', 'nod', 'nod.vmd')).toBe('MOTION_ADD|0|nod|nod.vmd');
    expect(Object.keys(library).sort()).toEqual([
      'BridgeError',
      'Dictionary',
      'ERRORS',
      'answerOf',
      'attachService',
      'classify',
      'commandCatalogue',
      'commandDoubt',
      'commands',
      'createBridge',
      'gatedSound',
      'listEngines',
      'loadBridgeConfig',
      'microphoneSound',
      'parseCommand',
      'parseCueFile',
    ]);
  });
});
