import { describe, expect, it } from 'vitest';
import {
  encodeCommand,
  encodeFrame,
  MODE_FILE,
  parseMessage,
  SEGMENT_END,
  type WireUnit,
} from '../../src/agent/wire.js';
import { TcpConnection, type TcpConnectionOptions } from '../../src/transport/tcp-connection.js';
import { FakeClock } from '../support/fake-clock.js';
import { socketPair } from '../support/socket-pair.js';
import { until } from '../support/until.js';

const FRAME = encodeFrame(new Int16Array(640));

/** A connection over a real socket, and the avatar's end of it. */
async function connected(options: Partial<TcpConnectionOptions> = {}): Promise<{
  connection: TcpConnection;
  clock: FakeClock;
  /** What the avatar has read. */
  read: () => string;
  says: (text: string) => void;
  /** What the agent's side is told. */
  told: string[];
  closed: string[];
}> {
  const { ours, theirs } = await socketPair();
  const clock = new FakeClock();
  const connection = new TcpConnection(ours, { remote: 'test', openedAtMs: 0, clock, ...options });
  let read = '';
  const told: string[] = [];
  const closed: string[] = [];
  theirs.on('data', (chunk: Buffer) => (read += chunk.toString('latin1')));
  theirs.on('error', () => undefined);
  connection.events.on('message', (bytes) => told.push(Buffer.from(bytes).toString()));
  connection.events.on('closed', (reason) => closed.push(reason));
  return { connection, clock, read: () => read, says: (text) => void theirs.write(text), told, closed };
}

const sendAll = (connection: TcpConnection, units: readonly WireUnit[]): void =>
  units.forEach((unit) => connection.send(unit));

describe('a connection over plain TCP', () => {
  it('sends units one behind the other, with a text line as a mark behind the first frame and each segment', async () => {
    const { connection, read } = await connected();
    sendAll(connection, [MODE_FILE, encodeCommand('HELLO|世界'), FRAME, FRAME, SEGMENT_END]);
    const sound = `SND1280${'\0'.repeat(1280)}`;
    const hello = Buffer.from('HELLO|世界\n').toString('latin1');
    const expected = `SNDFILE\n${hello}${sound}BRIDGE_MARK|1\n${sound}SNDBRKS\nBRIDGE_MARK|2\n`;
    await until(() => read().length >= expected.length);
    expect(read()).toBe(expected);
  });

  it('lets a mark follow a short command that begins with S, in the place of newlines that could arrive alone', async () => {
    const { connection, read } = await connected();
    connection.send(encodeCommand('STOP'));
    await until(() => read().length > 6);
    expect(read()).toBe('STOP\nBRIDGE_MARK|1\n');
  });

  it('takes the echo of a mark for its answer, and everything else for a message', async () => {
    const { connection, clock } = await connected();
    connection.send(FRAME);
    expect(connection.acks.readSamples).toBe(0);
    await clock.advance(52);
    expect(connection.takeEcho(parseMessage('BRIDGE_MARK|1'))).toBe(true);
    expect(connection.acks.readSamples).toBe(640);
    expect(connection.acks.roundTrip).toMatchObject({ count: 1, lastMs: 52 });
    expect(connection.takeEcho(parseMessage('BRIDGE_MARK'))).toBe(false);
    expect(connection.takeEcho(parseMessage('TEST|BRIDGE_MARK|1'))).toBe(false);
  });

  it('sends another mark when an echo is missing, and has no stall of it', async () => {
    const { connection, clock, read } = await connected();
    connection.send(SEGMENT_END);
    await clock.advance(800);
    await until(() => read().includes('BRIDGE_MARK|2\n'));
    connection.takeEcho(parseMessage('BRIDGE_MARK|2'));
    expect(connection.acks.overdueAtMs).toBeUndefined();
    await clock.advance(10_000);
    expect(read()).not.toContain('BRIDGE_MARK|3');
  });

  it('sends few marks to an avatar that never answers', async () => {
    const { connection, clock, read } = await connected();
    connection.send(SEGMENT_END);
    for (let i = 0; i < 60; i += 1) await clock.advance(1000);
    await until(() => read().includes('BRIDGE_MARK|8\n'));
    expect(read()).not.toContain('BRIDGE_MARK|9\n');
    expect(clock.nowMs()).toBeGreaterThan(connection.acks.overdueAtMs!);
  });

  it('passes over the rest of a line that another process had begun to read', async () => {
    const { says, told } = await connected({ midLine: true });
    says('NG|rest');
    says(' of it\nLIPSYNC_EVENT_START|0\n');
    await until(() => told.length > 0);
    expect(told.join('')).toBe('LIPSYNC_EVENT_START|0\n');
  });

  it.each(['GET / HTTP/1.1\r\nHost: x\r\n\r\n', '\x16\x03\x01\x02\0\x01'])(
    'ends what is no avatar: %j',
    async (text) => {
      const { says, told, closed } = await connected();
      says(text);
      await until(() => closed.length > 0);
      expect(told).toEqual([]);
      expect(closed[0]).toMatch(/HTTP or TLS/);
    },
  );
});
