import { describe, expect, it } from 'vitest';
import type { BridgeError } from '../../src/base/errors.js';
import { Link } from '../../src/agent/link.js';
import { encodeCommand, encodeFrame } from '../../src/agent/wire.js';
import { TimerWheel } from '../../src/speech/timer-wheel.js';
import { faultsOf, heardLast } from '../keeper/support/heard.js';
import { joinAvatar, startBridge, until } from '../support/bridge-rig.js';
import { FakeClock } from '../support/fake-clock.js';
import { FakeConnection } from '../support/fake-connection.js';
import { noise } from '../support/signals.js';

/** A link that is set up for model 0. */
async function setUp(): Promise<{ clock: FakeClock; connection: FakeConnection; link: Link }> {
  const clock = new FakeClock();
  const connection = new FakeConnection(clock);
  const link = new Link(connection, {
    agentName: 'default',
    clock,
    wheel: new TimerWheel(clock),
    readyTimeoutMs: 1000,
    firstSoundMs: 0,
  });
  const ready = link.prepare({ model: '0' });
  await clock.advance(60);
  connection.says('LIPSYNC_EVENT_START|0\n');
  await ready;
  connection.sent.length = 0;
  return { clock, connection, link };
}

describe('words of the wire that a user sends', () => {
  it.each([
    ['__AV_SETMODEL,mei', '__AV_SETMODEL,0\n'],
    ['__AV_END', '__AV_START\n'],
    ['__AVCONF_DISABLEAUTOLIP,ALWAYS', '__AVCONF_DISABLEAUTOLIP,NO\n'],
  ])('%s is set right before the next speech', async (line, repair) => {
    const { connection, link } = await setUp();
    link.send(encodeCommand(line));
    await link.prepare({ model: '0' });
    expect(connection.lines).toEqual([`${line}\n`, repair]);
    await link.prepare({ model: '0' });
    expect(connection.lines).toHaveLength(2);
  });

  it.each(['__AV_SETMODEL,0', '__AV_START', '__AVCONF_DISABLEAUTOLIP,NO'])(
    '%s, which changes nothing, is not repeated',
    async (line) => {
      const { connection, link } = await setUp();
      link.send(encodeCommand(line));
      await link.prepare({ model: '0' });
      expect(connection.lines).toEqual([`${line}\n`]);
    },
  );

  it('that bind lips to a model nobody has seen leave what is heard assumed', async () => {
    const { connection, link } = await setUp();
    connection.says('[2026/11/28 11:33:34.317] [1] Remote: Status: openstream ok\n\n');
    expect(link.hearing).toBe('confirmed');
    link.send(encodeCommand('__AV_SETMODEL,nosuch'));
    expect(link.hearing).toBe('assumed');
    await link.prepare({ model: '0' });
    expect(link.hearing).toBe('confirmed');
  });

  it('and those of the avatar’s own content count too: control that was switched off there is switched on', async () => {
    const { connection, link } = await setUp();
    connection.says('AVATAR|END\n');
    await link.prepare({ model: '0' });
    expect(connection.lines).toEqual(['__AV_START\n']);
  });

  it.each([
    '__AV_SETMODEL',
    '__AV_SETMODEL,',
    '__AV_SETMODEL,0,1',
    '__AV_SETMODEL,0|x',
    '__AV_SETMODEL,0__AV_START',
    '__AV_SETMODEL0',
    '__AV_START,1',
    '__AV_END|x',
    '__AVCONF_DISABLEAUTOLIP',
    '__AVCONF_DISABLEAUTOLIP,MAYBE',
    '__AVCONF_DISABLEAUTOLIP,ALWAYS,NO',
  ])('%j is refused: the avatar would ignore it without a word', (line) => {
    expect(() => encodeCommand(line)).toThrow(/was not sent/);
  });

  it.each(['__AV_SETMODEL,mei chan', '__AV_SETMODEL,初音', '__AV_EXMORPH,a=1', '__AV_TRACK,1,2,3'])(
    '%j passes',
    (line) => {
      expect(encodeCommand(line).line).toBe(line);
    },
  );
});

describe('a model that is deleted', () => {
  it('ends its readiness, closes the segment, and has its lips bound anew when it is back', async () => {
    const { clock, connection, link } = await setUp();
    const gone: BridgeError[] = [];
    link.events.on('modelGone', (error) => gone.push(error));
    link.send(encodeFrame(new Int16Array(300)));
    connection.says('MODEL_EVENT_DELETE|other\n');
    expect(gone).toEqual([]);
    connection.says('MODEL_EVENT_DELETE|0\n');
    expect(gone.map(({ code }) => code)).toEqual(['MODEL_GONE']);
    // 300 samples lack 212 of two blocks.
    expect(connection.sent.slice(1).map(({ text }) => text.slice(0, 8))).toEqual(['SND0424\0', 'SNDBRKS\n']);
    connection.sent.length = 0;
    let ready = false;
    const waits: string[] = [];
    const again = link
      .prepare({ model: '0' }, undefined, (message) => waits.push(message))
      .then(() => (ready = true));
    await clock.advance(500);
    expect(ready).toBe(false);
    connection.says('LIPSYNC_EVENT_START|0\n');
    await again;
    expect(connection.lines.at(-1)).toBe('__AV_SETMODEL,0\n');
  });

  it('makes a speech wait and say for what, and fail after its time-out, instead of being told as heard', async () => {
    const bridge = await startBridge({ readyTimeoutMs: 1500 });
    const avatar = await joinAvatar(bridge);
    const agent = bridge.agent();
    await until(() => agent.state === 'ready');
    await agent.request('MODEL_DELETE|0');
    await until(() => agent.state === 'connected');
    const speech = agent.speak(noise(16_000, 9000), { sampleRateHz: 16_000 });
    const waits: string[] = [];
    speech.on('waiting', (message) => waits.push(message));
    const end = await speech.finished;
    expect([end.how, end.error?.code, end.heardMs]).toEqual(['failed', 'MODEL_NOT_READY', 0]);
    expect(waits).toEqual(['Waiting for model 0 of agent default to be loaded.']);
    await agent.request('MODEL_ADD|0|gene.pmd');
    const sound = noise(16_000, 9000, 2);
    expect((await agent.speak(sound, { sampleRateHz: 16_000 }).finished).how).toBe('completed');
    await until(() => heardLast(avatar, sound));
    expect(faultsOf(avatar)).toEqual([]);
  });

  it('in mid-speech ends that speech as not heard, and the next one is whole on the new model', async () => {
    const bridge = await startBridge();
    const avatar = await joinAvatar(bridge);
    const agent = bridge.agent();
    await until(() => agent.state === 'ready');
    const cut = agent.speak(noise(160_000, 9000), { sampleRateHz: 16_000 });
    await cut.started;
    await agent.replaceModel('0', 'other.pmd');
    const end = await cut.finished;
    expect([end.how, end.error?.code]).toEqual(['avatar-lost', 'MODEL_GONE']);
    const sound = noise(16_000, 9000, 3);
    expect((await agent.speak(sound, { sampleRateHz: 16_000 }).finished).how).toBe('completed');
    await until(() => heardLast(avatar, sound));
    expect(avatar.report().alive).toBe(true);
  });

  it('is not changed in place while its lips are bound: the refusal names what to do', async () => {
    const bridge = await startBridge();
    const agent = bridge.agent();
    for (const line of [
      'MODEL_CHANGE|0|other.pmd',
      'MODEL_CHANGE_ASYNC|0|other.pmd',
      '__AV_MESSAGE,MODEL_CHANGE|0|other.pmd',
      ' MODEL_CHANGE|0|other.pmd',
      'MENU|SETITEM|Gene|1|new|MODEL_CHANGE|0|other.pmd',
    ]) {
      expect(() => agent.checkCommand(line)).toThrow(/replaceModel/);
    }
    agent.checkCommand('MODEL_CHANGE|stage|other.pmd');
  });
});
