import { describe, expect, it } from 'vitest';
import { BridgeError } from '../../src/base/errors.js';
import { Link } from '../../src/agent/link.js';
import { encodeCommand, encodeFrame, SEGMENT_END } from '../../src/agent/wire.js';
import { TimerWheel } from '../../src/speech/timer-wheel.js';
import { FakeClock } from '../support/fake-clock.js';
import { FakeConnection } from '../support/fake-connection.js';

const FRAME = encodeFrame(new Int16Array(640));

function link(options: { readyTimeoutMs?: number } = {}): {
  clock: FakeClock;
  connection: FakeConnection;
  link: Link;
} {
  const clock = new FakeClock();
  const connection = new FakeConnection(clock);
  return {
    clock,
    connection,
    link: new Link(connection, {
      agentName: 'default',
      clock,
      wheel: new TimerWheel(clock),
      readyTimeoutMs: 1000,
      firstSoundMs: 0,
      ...options,
    }),
  };
}

describe('readiness', () => {
  it('probes from 60 ms after the upgrade, every 50 ms, until the answer comes', async () => {
    const { clock, connection, link: it } = link();
    const ready = it.prepare({ model: '0' });
    await clock.advance(220);
    expect(connection.sent.map(({ atMs }) => atMs - connection.openedAtMs)).toEqual([60, 110, 160, 210]);
    expect(new Set(connection.lines)).toEqual(new Set(['LIPSYNC_START|0|sil,10\n']));
    connection.says('LIPSYNC_START|0|sil,10\n');
    connection.says('LIPSYNC_EVENT_START|1\n');
    await clock.advance(10);
    expect(it.model).toBeUndefined();
    connection.says('LIPSYNC_EVENT_START|0\n');
    await ready;
    await clock.advance(1000);
    expect(connection.lines.slice(4)).toEqual(['__AV_START\n', '__AV_SETMODEL,0\n', 'SNDFILE\n']);
  });

  it('sets each thing once: a second speech sends nothing, another model binds its lips alone', async () => {
    const { clock, connection, link: it } = link();
    const ready = it.prepare({ model: '0' });
    await clock.advance(60);
    connection.says('LIPSYNC_EVENT_START|0\n');
    await ready;
    const before = connection.sent.length;
    await it.prepare({ model: '0' });
    expect(connection.sent.length).toBe(before);
    const other = it.prepare({ model: 'mei', mode: 'stream' });
    await clock.advance(1);
    connection.says('LIPSYNC_EVENT_START|mei\n');
    await other;
    expect(connection.lines.slice(before)).toEqual([
      'LIPSYNC_START|mei|sil,10\n',
      '__AV_SETMODEL,mei\n',
      'SNDSTRM\n',
    ]);
  });

  it('fails after its time with the alias in the message, and still notices the model later', async () => {
    const { clock, connection, link: it } = link();
    const waits: string[] = [];
    const ready = it
      .prepare({ model: 'mei' }, undefined, (message) => waits.push(message))
      .catch((error: unknown) => error);
    await clock.advance(1000);
    const error = await ready;
    expect(error).toBeInstanceOf(BridgeError);
    expect(String(error)).toContain('alias mei within 1000 ms');
    expect(waits).toEqual(['Waiting for model mei of agent default to be loaded.']);
    connection.says('LIPSYNC_EVENT_START|mei\n');
    await it.prepare({ model: 'mei' });
    expect(it.model).toBe('mei');
  });

  it('asks more rarely once it has taken long, so that the agent’s own messages get through', async () => {
    const { clock, connection, link: it } = link({ readyTimeoutMs: 60_000 });
    void it.prepare({ model: '0' }).catch(() => undefined);
    await clock.advance(11_000);
    const before = connection.sent.length;
    await clock.advance(10_000);
    expect(connection.sent.length - before).toBeLessThanOrEqual(20);
  });

  it('ends every wait when the connection is lost', async () => {
    const { clock, connection, link: it } = link();
    const ready = it.prepare({ model: '0' }).catch((error: unknown) => error);
    await clock.advance(100);
    connection.events.emit('closed', 'it died');
    expect(await ready).toMatchObject({ code: 'AGENT_LOST' });
    expect(clock.pendingTimers).toBe(0);
  });

  it('takes a connection over as it was left, and sets nothing up again', async () => {
    const clock = new FakeClock();
    const connection = new FakeConnection(clock);
    const adopted = new Link(connection, {
      agentName: 'default',
      clock,
      wheel: new TimerWheel(clock),
      readyTimeoutMs: 1000,
      firstSoundMs: 0,
      state: { model: '0', mode: 'file' },
    });
    await adopted.prepare({ model: '0' });
    expect(connection.sent).toEqual([]);
  });
});

describe('lips', () => {
  it('are taken from the avatar between utterances, with the mouth closed, and given back', async () => {
    const { clock, connection, link: it } = link();
    const ready = it.prepare({ model: '0', lips: 'commands' });
    await clock.advance(60);
    connection.says('LIPSYNC_EVENT_START|0\n');
    await ready;
    expect(connection.lines.slice(-2)).toEqual([
      '__AVCONF_DISABLEAUTOLIP,ALWAYS\n',
      'LIPSYNC_START|0|sil,30\n',
    ]);
    await it.prepare({ model: '0', lips: 'commands' });
    await it.prepare({ model: '0' });
    expect(connection.lines.slice(-1)).toEqual(['__AVCONF_DISABLEAUTOLIP,NO\n']);
  });
});

describe('what goes out', () => {
  it('waits for the first 50 ms, in order, and then leaves at once', async () => {
    const { clock, connection, link: it } = link();
    for (const line of ['A', 'B']) it.send(encodeCommand(line));
    await clock.advance(49);
    expect(connection.sent).toEqual([]);
    await clock.advance(1);
    expect(connection.lines).toEqual(['A\n', 'B\n']);
    it.send(encodeCommand('C'));
    expect(connection.lines).toEqual(['A\n', 'B\n', 'C\n']);
  });

  it('waits again after a stall, in which the agent may not have read the upgrade’s answer', async () => {
    const { clock, connection, link: it } = link();
    it.send(encodeCommand('A'));
    await clock.stall(90);
    await clock.advance(49);
    expect(connection.sent).toEqual([]);
    await clock.advance(1);
    expect(connection.lines).toEqual(['A\n']);
  });

  it('is bounded: too many early commands, or too many bytes for an agent that does not read, are refused', async () => {
    const { clock, connection, link: it } = link();
    const unit = encodeCommand('A');
    for (let i = 0; i < 1000; i += 1) it.send(unit);
    expect(() => it.send(unit)).toThrow(/1000 commands wait already/);
    await clock.advance(60);
    connection.unsentBytes = 2_000_000;
    expect(() => it.send(unit)).toThrow(/not sent/);
  });
});

describe('delivery marks', () => {
  it('go out a few times a second behind a frame, never one a frame, and once at the end of a segment', async () => {
    const { clock, connection, link: it } = link();
    let count = 0;
    await clock.advance(50);
    for (let i = 0; i < 25; i += 1) {
      it.send(FRAME);
      await clock.advance(40);
      for (const mark of connection.marks.splice(0)) {
        connection.answers(mark);
        count += 1;
      }
    }
    expect(count).toBeGreaterThanOrEqual(2);
    expect(count).toBeLessThanOrEqual(4);
    it.send(SEGMENT_END);
    expect(connection.marks).toHaveLength(1);
  });

  it('tell what has been read, the round trip, and a stall within a second', async () => {
    const { clock, connection, link: it } = link();
    const readings: boolean[] = [];
    it.events.on('reading', () => readings.push(it.stalled));
    await clock.advance(50);
    it.send(FRAME);
    await clock.advance(3);
    connection.answers(connection.marks[0]);
    expect(connection.acks.readSamples).toBe(640);
    expect(connection.acks.roundTrip).toMatchObject({ count: 1, lastMs: 3 });
    // The last frame that goes without a mark, then the next: from the stall to its discovery less than a second.
    await clock.advance(397);
    it.send(FRAME);
    await clock.advance(549);
    expect(it.stalled).toBe(false);
    await clock.advance(1 + 5);
    expect(readings).toEqual([true]);
    connection.answers(connection.marks[1]);
    expect(readings).toEqual([true, false]);
    expect(connection.acks.readSamples).toBe(1280);
  });

  it('of somebody else are no news', () => {
    const { connection, link: it } = link();
    it.send(FRAME);
    connection.answers(9999);
    expect(connection.acks.readSamples).toBe(0);
  });

  it('are few under way even when none comes back', async () => {
    const { clock, connection, link: it } = link();
    for (let i = 0; i < 1000; i += 1) {
      it.send(FRAME);
      await clock.advance(40);
    }
    expect(connection.marks.length).toBeLessThanOrEqual(8);
  });
});
