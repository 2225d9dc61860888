import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../support/needs.js';
import { inProject } from '../support/paths.js';
import { type ServiceRig, startService, until } from '../support/service-rig.js';
import { noise } from '../support/signals.js';
import { wavOf } from '../support/wav.js';

const run = promisify(execFile);

await describeWith(['curl'], 'the requests that the README shows', () => {
  const short = wavOf(noise(4096, 9000));
  const web = createServer((_, response) => response.end(short));
  let folder: string;
  let rig: ServiceRig;
  let shown: string[];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'readme-'));
    await writeFile(join(folder, 'short.wav'), short);
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
    rig = await startService();
    const readme = await readFile(inProject('README.md'), 'utf8');
    const { port } = web.address() as AddressInfo;
    shown = [...readme.matchAll(/^curl .*$/gm)].map(([line]) =>
      line
        .replace('curl ', 'curl --silent --show-error --fail --max-time 20 ')
        .replace('localhost:9001', `127.0.0.1:${rig.port}`)
        .replace('https://example.org', `http://127.0.0.1:${port}`)
        .replace('samples/hello.wav', join(folder, 'short.wav')),
    );
  });
  afterAll(async () => {
    await rig.close();
    web.close();
    await rm(folder, { recursive: true });
  });

  it('work as they stand', async () => {
    const avatars = await Promise.all(['default', 'a', 'b'].map((name) => rig.avatar({ name })));
    const follow = shown.find((line) => line.includes('/api/events'))!;
    // It would follow for ever.
    const following = run('sh', ['-c', follow.replace('--max-time 20', '--max-time 2')]).catch(
      (error: unknown) => error as { stdout: string },
    );
    const others = shown.filter((line) => line !== follow);
    expect(others.length).toBeGreaterThan(3);
    for (const line of others) {
      const { stdout } = await run('sh', ['-c', line]);
      expect(stdout, line).toMatch(/"(id|speeches|agents)":/);
    }
    expect((await following).stdout).toContain('event: snapshot');
    await until(() => avatars.every((avatar) => avatar.report().samplesHeard >= 4096));
    await rig.ask('POST', '/api/agents/all/interrupt');
  });
});
