import { describe, expect, it } from 'vitest';
import { Link } from '../../src/agent/link.js';
import { MessageReader, parseMessage, type AgentMessage } from '../../src/agent/wire.js';
import { classify } from '../../src/agent/messages.js';
import { TimerWheel } from '../../src/speech/timer-wheel.js';
import type { SimulatorOptions } from '../../src/simulator/index.js';
import { faultsOf } from '../keeper/support/heard.js';
import { expectHeard, joinAvatar, startBridge, until } from '../support/bridge-rig.js';
import { FakeClock } from '../support/fake-clock.js';
import { FakeConnection } from '../support/fake-connection.js';
import { realAgentRecording } from '../support/recording.js';
import { noise } from '../support/signals.js';

const sound = noise(16_000, 9000, 1);
const DEVICE_OPENS_AFTER_MS = [0, 200, 500, 1200];

/** Has an avatar speak as soon as it can. */
async function expectWhole(options: Partial<SimulatorOptions>, firstSoundMs: number): Promise<void> {
  const bridge = await startBridge({ firstSoundMs });
  const speech = bridge.agent().speak(sound, { sampleRateHz: 16_000 });
  const avatar = await joinAvatar(bridge, options);
  expect((await speech.finished).how).toBe('completed');
  expectHeard(avatar, sound);
  expect([options, faultsOf(avatar)]).toEqual([options, []]);
}

describe('the first speech of a fresh connection', () => {
  it('is heard whole, however late the sound device opens within the wait', async () => {
    await Promise.all(DEVICE_OPENS_AFTER_MS.map((audioOpenMs) => expectWhole({ audioOpenMs }, 2000)));
  });

  it('waits for the log of an avatar that sends it, and no longer', async () => {
    await Promise.all(
      DEVICE_OPENS_AFTER_MS.map((audioOpenMs) => expectWhole({ audioOpenMs, allLog: true }, 60_000)),
    );
  });

  it('is lost at its beginning without the wait: the simulated device drops what comes before it opens', async () => {
    const bridge = await startBridge({ firstSoundMs: 0 });
    const speech = bridge.agent().speak(sound, { sampleRateHz: 16_000 });
    const avatar = await joinAvatar(bridge, { audioOpenMs: 1000 });
    await speech.finished;
    expect(faultsOf(avatar)).toContain('audio-before-device');
    expect(avatar.report().samplesDropped['device-closed']).toBeGreaterThan(0);
  });

  it('tells what it waits for, and becomes ready when the wait is over', async () => {
    const bridge = await startBridge({ firstSoundMs: 1800 });
    const waits: string[] = [];
    const agent = bridge.agent();
    await joinAvatar(bridge, { readyAfterMs: 0 });
    const speech = agent.speak(sound, { sampleRateHz: 16_000 });
    speech.on('waiting', (message) => waits.push(message));
    expect(agent.state).toBe('connected');
    await until(() => agent.state === 'ready');
    expect(waits).toContain('Waiting for agent default to open its sound device.');
    await speech.stop();
  });
});

function link(options: { firstSoundMs: number; state?: { model: string; started: true } }): {
  clock: FakeClock;
  connection: FakeConnection;
  link: Link;
  startMs: number;
} {
  const clock = new FakeClock();
  const connection = new FakeConnection(clock);
  const { firstSoundMs, state } = options;
  return {
    clock,
    connection,
    startMs: clock.nowMs(),
    link: new Link(connection, {
      agentName: 'default',
      clock,
      wheel: new TimerWheel(clock),
      readyTimeoutMs: 30_000,
      firstSoundMs,
      state,
    }),
  };
}

/** Milliseconds from the connection until it may speak. */
async function preparedAfterMs({ clock, link: it, startMs }: ReturnType<typeof link>): Promise<number> {
  let atMs: number | undefined;
  void it.prepare({ model: '0' }).then(() => (atMs = clock.nowMs()));
  for (let i = 0; i < 4000 && atMs === undefined; i += 1) await clock.advance(1);
  return atMs! - startMs;
}

describe('the sound device', () => {
  it('is waited for from the connection on, not from the first speech on', async () => {
    const rig = link({ firstSoundMs: 2000 });
    await rig.clock.advance(1500);
    setTimeout(() => rig.connection.says('LIPSYNC_EVENT_START|0\n'), 0);
    expect(await preparedAfterMs(rig)).toBe(2000);
  });

  it('is not waited for on a connection that another process has spoken through', async () => {
    const rig = link({ firstSoundMs: 2000, state: { model: '0', started: true } });
    expect(await preparedAfterMs(rig)).toBeLessThanOrEqual(1);
  });

  it('that could not be opened, by the log, fails every speech with the reason', async () => {
    const { connection, link: it, clock } = link({ firstSoundMs: 0 });
    const ready = it.prepare({ model: '0' }).catch((error: unknown) => error);
    await clock.advance(60);
    const head = '[2026/11/28 11:33:34.317] [41916]';
    connection.says(`${head} Remote: Status: connected to localhost:9001/chat\n\n`);
    connection.says(`${head} Remote: Error: failed to initialize audio device\n\n`);
    connection.says(`${head} MMDAgent: Sent: LIPSYNC_EVENT_START|0\n\n`);
    expect(await ready).toMatchObject({ code: 'SOUND_DEVICE_FAILED' });
  });

  it('of an earlier connection does not count: the log begins before this one', async () => {
    const rig = link({ firstSoundMs: 0 });
    const head = '[2026/11/28 11:33:34.317] [41916]';
    rig.connection.says(`${head} Remote: Status: openstream ok\n\n`);
    rig.connection.says(`${head} Remote: Status: lost connection, retrying localhost:9001/chat\n\n`);
    rig.connection.says(`${head} Remote: Status: connected to localhost:9001/chat\n\n`);
    rig.connection.says(`${head} MMDAgent: Sent: LIPSYNC_EVENT_START|0\n\n`);
    let ready = false;
    void rig.link.prepare({ model: '0' }).then(() => (ready = true));
    await rig.clock.advance(500);
    rig.connection.says(`${head} MMDAgent: Sent: LIPSYNC_EVENT_START|0\n\n`);
    await rig.clock.advance(500);
    expect(ready).toBe(false);
    rig.connection.says(`${head} Remote: Status: openstream ok\n\n`);
    await rig.clock.advance(1);
    expect([ready, rig.link.hearing]).toEqual([true, 'confirmed']);
  });
});

describe('an avatar that sends its log in place of its messages', () => {
  const recording = realAgentRecording('real-agent-alllog').filter(({ dir }) => dir === 'from agent');

  it('is read as one that does not: what was issued comes out as messages, once', () => {
    for (const framing of ['messages', 'stream'] as const) {
      const reader = new MessageReader({ framing });
      const all = recording.flatMap(({ text }) => reader.push(Buffer.from(text!)));
      const issued = all.filter(({ log }) => log?.level === 'Sent');
      expect(issued.map(({ text }) => text)).toEqual(
        recording.flatMap(({ text }) => /: Sent: (.*)\n/.exec(text!)?.[1] ?? []),
      );
      expect(issued.length).toBeGreaterThan(15);
      expect(issued.find(({ type }) => type === 'MODEL_EVENT_ADD')?.args).toEqual(['0']);
    }
  });

  it('has its other lines told as its log', () => {
    const line = '[2026/11/28 11:33:36.353] [42008] MMDAgent: Error: addModel: not found: missing.pmd';
    expect(classify(parseMessage(line))).toEqual({
      kind: 'log',
      module: 'MMDAgent',
      level: 'Error',
      text: 'addModel: not found: missing.pmd',
    });
    expect(classify(parseMessage('[2026/11/28 11:33:34.245] [0] MMDAgent: Sent: MODEL_EVENT_ADD|0'))).toEqual(
      {
        kind: 'model-added',
        alias: '0',
      },
    );
  });

  it('is ready at the moment at which the recorded program was', async () => {
    const rig = link({ firstSoundMs: 60_000 });
    const messages: AgentMessage[] = [];
    rig.link.events.on('message', (message) => messages.push(message));
    let readyAtMs: number | undefined;
    void rig.link.prepare({ model: '0' }).then(() => (readyAtMs = rig.clock.nowMs() - rig.startMs));
    for (const { ms, text } of recording) {
      await rig.clock.advance(Math.max(0, rig.startMs + ms - rig.clock.nowMs()));
      rig.connection.says(text!);
    }
    // `openstream ok` and the answer to the probe came in the same burst.
    expect(readyAtMs).toBeGreaterThan(214);
    expect(readyAtMs).toBeLessThan(220);
    expect(messages.some(({ log }) => log?.level === 'Captured')).toBe(false);
  });
});
