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
