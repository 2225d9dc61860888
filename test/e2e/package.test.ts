import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type * as bridgeModule from '../../src/bridge.js';
import type * as serviceModule from '../../src/service/service.js';
import { VERSION } from '../../src/base/version.js';
import { inProject, projectDir } from '../support/paths.js';
import { USER_PAGES } from '../support/readme.js';

const run = promisify(execFile);
const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';

/** What the README shows, with a simulated avatar, in a project of its own. */
const CONSUMER = `
import { BridgeError, commands, createBridge, type Speech, type SpeechEnd } from 'mmdagent-audio-bridge';
import { SimulatedAvatar } from 'mmdagent-audio-bridge/simulator';

const bridge = await createBridge({ port: 0 });
const avatar = new SimulatedAvatar({ url: \`ws://127.0.0.1:\${bridge.address.port}/chat\` });
await avatar.connect();
const speech: Speech = bridge.agent().speak(new Int16Array(1600).fill(1000), {
  sampleRateHz: 16000,
  cues: [{ atMs: 20, send: commands.motion.add('0', 'nod', 'nod.vmd') }],
});
const end: SpeechEnd = await speech.finished;
const refused: unknown = await bridge.agent().send('SNDx').catch((error: unknown) => error);
console.log(end.how, end.heardMs, end.cuesSent, refused instanceof BridgeError && refused.code);
await bridge.close();
avatar.leave();
`;

describe('the packed package', () => {
  let folder: string;
  let installed: string;
  let packed: string[];
  /** What the compiler finds wrong, while the other tests run: it takes longest. */
  let faults: Promise<string>;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'package-'));
    // The build is there already; no script is to run.
    const { stdout } = await run(npm, ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
      cwd: projectDir,
    });
    const [{ filename, files }] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }];
    packed = files.map(({ path }) => path);
    const modules = join(folder, 'node_modules');
    installed = join(modules, 'mmdagent-audio-bridge');
    await mkdir(installed, { recursive: true });
    await run('tar', ['-xzf', join(folder, filename), '-C', installed, '--strip-components=1']);
    // Its dependencies are the ones that are installed here: no network is needed.
    for (const name of await readdir(inProject('node_modules'))) {
      if (!name.startsWith('.')) await symlink(inProject(`node_modules/${name}`), join(modules, name));
    }
    faults = compile();
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('holds what runs, what is played and what is read, and nothing else', () => {
    for (const path of [
      'package.json',
      'README.md',
      'LICENSE',
      'dist/index.js',
      'dist/index.d.ts',
      'dist/console/index.html',
      'dist/console/main.js',
      'samples/hello.wav',
    ])
      expect(packed).toContain(path);
    for (const page of USER_PAGES) expect(packed).toContain(page);
    const sources = packed.filter((path) => /^(src|test|coverage|node_modules)\//.test(path));
    expect(sources.filter((path) => !path.endsWith('.md'))).toEqual([]);
    expect(packed.filter((path) => path.endsWith('.tgz'))).toEqual([]);
  });

  it('runs its command from anywhere', async () => {
    // As an installation links it.
    const bin = join(folder, 'node_modules', '.bin');
    await mkdir(bin);
    const main = join(installed, 'dist/cli/main.js');
    await chmod(main, 0o755);
    await symlink(main, join(bin, 'mmdagent-bridge'));
    const version = await run(join(bin, 'mmdagent-bridge'), ['--version'], { cwd: folder });
    expect(version.stdout.trim()).toBe(VERSION);
    const checkout = await run(npm, ['run', '-s', 'bridge', '--', '--version'], { cwd: projectDir });
    expect(checkout.stdout.trim()).toBe(VERSION);
    const demo = await run(join(bin, 'mmdagent-bridge'), ['demo'], { cwd: folder });
    expect(demo.stdout.trimEnd()).toMatch(/The avatar heard every sample\.$/);
  });

  it('serves its console', async () => {
    const load = (path: string): Promise<unknown> => import(pathToFileURL(join(installed, path)).href);
    const { createBridge } = (await load('dist/bridge.js')) as typeof bridgeModule;
    const { attachService } = (await load('dist/service/service.js')) as typeof serviceModule;
    const bridge = await createBridge({ port: 0 });
    const { url } = await attachService(bridge);
    const page = await (await fetch(url)).text();
    const files = [...page.matchAll(/(?:src|href)="(\/console\/[^"]+)"/g)].map(([, path]) => path!);
    expect(files).toContain('/console/main.js');
    for (const path of files) expect((await fetch(url + path)).status, path).toBe(200);
    await bridge.close();
  });

  async function compile(): Promise<string> {
    await writeFile(join(folder, 'package.json'), '{"type":"module"}');
    await writeFile(join(folder, 'consumer.ts'), CONSUMER);
    const readme = await readFile(join(installed, 'README.md'), 'utf8');
    await writeFile(join(folder, 'readme.ts'), /```ts\n([^`]*)```/.exec(readme)![1]!);
    const options = {
      module: 'NodeNext',
      target: 'ES2022',
      lib: ['ES2023'],
      strict: true,
      exactOptionalPropertyTypes: true,
      types: ['node'],
    };
    await writeFile(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ compilerOptions: options, files: ['consumer.ts', 'readme.ts'] }),
    );
    const tsc = inProject('node_modules/typescript/bin/tsc');
    return run(process.execPath, [tsc, '-p', folder]).then(
      () => '',
      (error: unknown) => (error as { stdout: string }).stdout || String(error),
    );
  }

  it('resolves its types, strictly, and works as a library', async () => {
    expect(await faults).toBe('');
    const { stdout } = await run(process.execPath, ['consumer.js'], { cwd: folder });
    expect(stdout.trim()).toBe('completed 100 1 COMMAND_INVALID');
  }, 180_000);
});
