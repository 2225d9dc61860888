import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import type { BridgeOptions } from '../../src/bridge.js';
import { killCommands, start } from '../support/command.js';
import { describeWith } from '../support/needs.js';
import { inProject, projectDir } from '../support/paths.js';
import { type ServiceRig, startService, until } from '../support/service-rig.js';
import { sine } from '../support/signals.js';
import { FakeEngine } from '../support/tts/fake-engine.js';
import { wavOf } from '../support/wav.js';

const run = promisify(execFile);

afterAll(killCommands);

async function sample(name: string): Promise<string> {
  const { stdout } = await run(
    process.execPath,
    [inProject('node_modules/tsx/dist/cli.mjs'), `samples/${name}`, '--simulated'],
    {
      cwd: projectDir,
      timeout: 60_000,
    },
  );
  return stdout;
}

describe.concurrent('the samples run as their first lines say', () => {
  it('streaming-tts.ts', async () => {
    const output = await sample('streaming-tts.ts');
    expect(output).toMatch(/first sound after \d+ ms/);
    expect(output).toMatch(/completed: heard 4\d{3} ms, \d+ gaps/);
  });

  it('timed-gestures.ts', async () => {
    const output = await sample('timed-gestures.ts');
    expect(output).toMatch(/1200 ms {2}MOTION_ADD\|0\|point/);
    expect(output).toMatch(/completed: heard 4\d{3} ms, 3 cues/);
  });

  it('live-audio.ts', async () => {
    expect(await sample('live-audio.ts')).toMatch(/completed: heard [12]\d{3} ms/);
  });

  it('dialogue.ts', async () => {
    const output = await sample('dialogue.ts');
    expect(output).toMatch(/user: {3}こんにちは/);
    expect(output).toMatch(/avatar: stopped after \d+ ms/);
    expect(output).toMatch(/avatar: completed after 4\d{3} ms/);
  });
});

/** What answers as a language model does: OpenAI's chat completions, streamed, cut anywhere. */
async function languageModel(answer: string): Promise<{ url: string; asked: unknown[]; close(): void }> {
  const asked: unknown[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      asked.push(JSON.parse(await text(request)));
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      for (const content of answer.match(/.{1,7}/gu)!) {
        const event = `data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`;
        for (const part of [event.slice(0, 9), event.slice(9)]) {
          response.write(part);
          await sleep(5);
        }
      }
      response.end('data: [DONE]\n\n');
    })();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/v1`, asked, close: () => void server.close() };
}

/** Speaks every sentence in a third of a second. */
async function* quickEngine(): AsyncGenerator<Uint8Array> {
  yield wavOf(sine(5000, 440, 9000));
}

const ANSWER = 'Der Himmel ist blau. [nod] 空は青い。It is the air that scatters it.';

async function speaksAnAnswer(program: string, args: readonly string[]): Promise<void> {
  const rig = await startService({ say: { engine: quickEngine } });
  const model = await languageModel(ANSWER);
  try {
    const avatar = await rig.avatar();
    const run = start(program, [...args, 'Why?'], { env: { ...addressOf(rig), LLM_URL: model.url } });
    expect(await run.exit, run.out + run.err).toBe(0);
    expect(model.asked).toMatchObject([{ stream: true, messages: [{}, { role: 'user', content: 'Why?' }] }]);
    const heard = [...run.out.matchAll(/^heard: +(.*)$/gm)].map(([, sentence]) => sentence);
    expect(heard).toEqual(['Der Himmel ist blau.', '[nod] 空は青い。', 'It is the air that scatters it.']);
    expect(avatar.report().commands.map(({ line }) => line)).toContain('MOTION_ADD|0|nod|nod.vmd');
    // The service knows when it has been heard by the clock; an avatar on a busy machine may be a moment behind.
    await until(() => avatar.report().samplesHeard >= 3 * 5000, 'all of it to be heard');
  } finally {
    model.close();
    await rig.close();
  }
}

function addressOf({ port }: ServiceRig): Record<string, string> {
  return { MMDAGENT_BRIDGE_URL: `http://127.0.0.1:${port}` };
}

describe.concurrent('llm.ts', () => {
  const tsx = [inProject('node_modules/tsx/dist/cli.mjs'), inProject('samples/llm.ts')];
  it('speaks what a language model writes, and says what was heard', () =>
    speaksAnAnswer(process.execPath, tsx));

  it('speaks before all is written, and tells after an interruption what was not heard', async () => {
    const rig = await startService({ say: { engine: quickEngine } });
    try {
      await rig.avatar();
      const run = start(process.execPath, tsx, { env: addressOf(rig) });
      await run.says(/^heard: +Light from the sun is white\.$/m);
      run.child.kill('SIGINT');
      expect(await run.exit, run.out + run.err).toBe(0);
      expect(run.out).toMatch(/speaks after/);
      expect(run.out).not.toMatch(/^heard: +That is why/m);
    } finally {
      await rig.close();
    }
  });
});

await describeWith(['python3'], 'llm.py', () => {
  it.concurrent('speaks what a language model writes, and says what was heard', () =>
    speaksAnAnswer('python3', [inProject('samples/llm.py')]),
  );
});

await describeWith(['python3'], 'the samples in Python run as their first lines say', () => {
  const rigs: ServiceRig[] = [];
  const startRig = async (options?: BridgeOptions): Promise<ServiceRig> => {
    const rig = await startService(options);
    rigs.push(rig);
    return rig;
  };
  afterAll(async () => {
    for (const rig of rigs) await rig.close();
  });

  it.concurrent('speak.py', async () => {
    const rig = await startRig();
    const avatar = await rig.avatar();
    const run = start('python3', [
      inProject('samples/speak.py'),
      inProject('samples/hello.wav'),
      rig.service.url,
    ]);
    expect(await run.exit, run.err).toBe(0);
    expect(run.out).toMatch(/agents: default \(ready\)/);
    expect(run.out).toMatch(/"how": "completed"/);
    const lines = avatar.report().commands.map(({ line }) => line);
    expect(lines).toEqual(expect.arrayContaining(['MOTION_ADD|0|bow|bow.vmd', 'MOTION_ADD|0|nod|nod.vmd']));
  });

  it.concurrent('stream.py', async () => {
    const rig = await startRig();
    const avatar = await rig.avatar();
    const args = [inProject('samples/stream.py'), inProject('samples/hello.wav')];
    const run = start('python3', args, { env: addressOf(rig) });
    expect(await run.exit, run.out + run.err).toBe(0);
    expect(run.out).toMatch(/completed/);
    expect(avatar.report().samplesHeard).toBeGreaterThan(15_000);
  });

  it.concurrent('dialogue.py', async () => {
    const engine = new FakeEngine();
    const rig = await startRig({ say: { engine } });
    const avatar = await rig.avatar();
    const run = start('python3', [inProject('samples/dialogue.py'), rig.service.url]);
    await run.says('listening: ready');
    // A simulated avatar echoes what it is sent, so that the events of a recogniser can be played through it.
    const agent = rig.bridge.agent();
    const says = async (text: string): Promise<void> => {
      await agent.send('RECOG_EVENT_START');
      await agent.send(`RECOG_EVENT_STOP|${text}`);
    };
    await says('こんにちは');
    await until(() => agent.snapshot().speaking);
    await until(() => agent.speeches[0]!.positionMs > 300);
    await says('OK');
    await run.says(/interrupted after \d+ ms/);
    await run.says('avatar: stopped');
    await run.says(/avatar: completed after \d+ ms/);
    expect(run.out).toMatch(/user: {3}こんにちは[^]*user: {3}OK/);
    expect(engine.texts.some((text) => text.includes('You said: こんにちは'))).toBe(true);
    expect(avatar.report().commands.map(({ line }) => line)).toContain('MOTION_ADD|0|nod|nod.vmd');
    run.child.kill('SIGINT');
    expect(await run.exit, run.err).toBe(0);
  });
});
