import { describe, expect, it } from 'vitest';
import type { LinkState } from '../../src/agent/connection.js';
import { Link } from '../../src/agent/link.js';
import { TimerWheel } from '../../src/speech/timer-wheel.js';
import { FakeClock } from '../support/fake-clock.js';
import { FakeConnection } from '../support/fake-connection.js';

/** A link on a connection that another process has had. */
function takenOver(state: (nowMs: number) => LinkState): {
  clock: FakeClock;
  connection: FakeConnection;
  link: Link;
  startMs: number;
} {
  const clock = new FakeClock();
  const connection = new FakeConnection(clock);
  const startMs = clock.nowMs();
  const link = new Link(connection, {
    agentName: 'default',
    clock,
    wheel: new TimerWheel(clock),
    readyTimeoutMs: 1000,
    firstSoundMs: 0,
    state: state(startMs),
  });
  return { clock, connection, link, startMs };
}

/** Milliseconds from the taking over until it may speak. */
async function readyAfterMs({ clock, link, startMs }: ReturnType<typeof takenOver>): Promise<number> {
  let atMs: number | undefined;
  void link.prepare({ model: '0' }).then(() => (atMs = clock.nowMs()));
  for (let i = 0; i < 100 && atMs === undefined; i += 1) await clock.advance(5);
  return atMs! - startMs;
}

const setUp: LinkState = { started: true, model: '0', mode: 'file', lips: 'avatar' };

describe('a connection that another process has had', () => {
  it('is not set up anew, nor asked whether it is ready', async () => {
    const rig = takenOver(() => setUp);
    expect(await readyAfterMs(rig)).toBeLessThanOrEqual(5);
    await rig.clock.advance(1000);
    expect(rig.connection.sent).toEqual([]);
  });

  it('has the speech that was left in its middle filled to a whole block and ended, at once', () => {
    const { connection } = takenOver(() => ({ ...setUp, openSamples: 640 + 320 }));
    const [padding, end] = connection.sent.map(({ text }) => text);
    // 960 samples are three blocks of 256 and 192 of a fourth.
    expect(padding).toBe(`SND0128${'\0'.repeat(128)}`);
    expect(end).toBe('SNDBRKS\n');
  });

  it('is sent at once what the other process still owed it', () => {
    const owed = ['SYNTH_EVENT_START|0', 'SYNTH_EVENT_STOP|0'];
    const { connection, link } = takenOver(() => ({ ...setUp, owed }));
    expect(connection.lines).toEqual(['SYNTH_EVENT_START|0\n', 'SYNTH_EVENT_STOP|0\n']);
    const kept: (readonly string[] | undefined)[] = [];
    Object.assign(connection, {
      remember: (_name: string, state: LinkState) => kept.push(state.owed),
    });
    link.owe(['SYNTH_EVENT_STOP|0']);
    link.owe(['SYNTH_EVENT_STOP|0']);
    link.owe([`SYNTH_EVENT_STOP|${'x'.repeat(1000)}`]);
    expect(kept).toEqual([['SYNTH_EVENT_STOP|0'], undefined]);
  });

  it('may be spoken to at once, and tells until when it plays what it was sent', async () => {
    const rig = takenOver((nowMs) => ({ ...setUp, openSamples: 640, dryAtMs: nowMs + 120 }));
    // 640 samples lack 128 of three blocks.
    expect(rig.link.playsUntilMs - rig.startMs).toBe(120 + 8);
    expect(await readyAfterMs(rig)).toBeLessThanOrEqual(5);
  });

  it('is left alone till all has been played where a frame is in doubt: it may hold part of a block', async () => {
    const rig = takenOver((nowMs) => ({
      ...setUp,
      openSamples: 640,
      inDoubt: true,
      dryAtMs: nowMs + 120,
    }));
    const afterMs = await readyAfterMs(rig);
    expect(afterMs).toBeGreaterThanOrEqual(128 + 90);
    expect(afterMs).toBeLessThanOrEqual(128 + 95);
  });

  it('has nothing more done to a sound whose segment was ended', async () => {
    const rig = takenOver((nowMs) => ({ ...setUp, openSamples: 0, dryAtMs: nowMs + 50 }));
    expect(rig.connection.sent).toEqual([]);
    expect(rig.link.playsUntilMs - rig.startMs).toBe(50);
  });

  it('has its mouth closed where commands moved it, and goes on from the other process’s settings', async () => {
    const rig = takenOver(() => ({ ...setUp, lips: 'commands' }));
    expect(rig.connection.lines).toEqual(['LIPSYNC_START|0|sil,30\n']);
    await readyAfterMs(rig);
    expect(rig.connection.lines.slice(1)).toEqual(['__AVCONF_DISABLEAUTOLIP,NO\n']);
  });

  it('is set up to its end where the other process had only begun', async () => {
    const rig = takenOver(() => ({ started: false }));
    const ready = rig.link.prepare({ model: '0' });
    await rig.clock.advance(60);
    rig.connection.says('LIPSYNC_EVENT_START|0\n');
    await ready;
    await rig.clock.advance(10);
    expect(rig.connection.lines).toEqual([
      'LIPSYNC_START|0|sil,10\n',
      '__AV_START\n',
      '__AV_SETMODEL,0\n',
      'SNDFILE\n',
    ]);
  });
});

/** A connection that can ask for a sign of life. */
class AskingConnection extends FakeConnection {
  probes = 0;

  probe(): void {
    this.probes += 1;
  }
}

describe('a connection that was taken over and may not be readable here', () => {
  function taken(): { clock: FakeClock; connection: AskingConnection; link: Link; told: number[] } {
    const clock = new FakeClock();
    const connection = new AskingConnection(clock);
    const link = new Link(connection, {
      agentName: 'default',
      clock,
      wheel: new TimerWheel(clock),
      readyTimeoutMs: 10_000,
      firstSoundMs: 0,
      state: setUp,
    });
    const told: number[] = [];
    link.events.on('unanswered', () => told.push(clock.nowMs()));
    return { clock, connection, link, told };
  }

  it('is asked at once, and speaks as soon as anything comes', async () => {
    const { clock, connection, link, told } = taken();
    expect(connection.probes).toBe(1);
    let ready = false;
    const prepared = link.prepare({ model: '0' }).then(() => (ready = true));
    await clock.advance(100);
    expect(ready).toBe(false);
    connection.says('CURRENT_TIME|1|2\n');
    await prepared;
    await clock.advance(5000);
    expect([told, link.unanswered]).toEqual([[], false]);
  });

  it('is told of after 2 s without an answer, and lets no speech begin', async () => {
    const { clock, connection, link, told } = taken();
    const failed = link.prepare({ model: '0' }).catch((error: unknown) => error);
    const startMs = clock.nowMs();
    await clock.advance(10_001);
    expect(told).toEqual([startMs + 2000]);
    expect([link.unanswered, link.hearing]).toEqual([true, 'assumed']);
    expect(await failed).toMatchObject({ code: 'AGENT_STALLED' });
    connection.says('CURRENT_TIME|1|2\n');
    await link.prepare({ model: '0' });
    expect(link.unanswered).toBe(false);
  });

  it('and any other that is idle is asked three times a minute', async () => {
    const { clock, connection } = taken();
    connection.says('CURRENT_TIME|1|2\n');
    await clock.advance(60_000);
    expect(connection.probes).toBe(4);
  });
});
