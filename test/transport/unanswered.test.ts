import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { encodeCommand, encodeFrame, type WireUnit } from '../../src/agent/wire.js';
import { adoptWebSocket } from '../../src/transport/adopt.js';
import { WebSocketConnection } from '../../src/transport/websocket-connection.js';
import { clientFrame } from '../support/client-frames.js';
import { socketPair } from '../support/socket-pair.js';
import { unitBytes } from '../support/unit-bytes.js';
import { until } from '../support/until.js';

const MASK = Buffer.from([1, 2, 3, 4]);
const LIMIT = 65_536;

/** A connection, and an avatar that takes what comes but answers no ping before it is told to. */
async function withSilentAvatar(): Promise<{
  connection: WebSocketConnection;
  units: string[];
  bytesTaken: () => number;
  answerPings: (count: number) => void;
}> {
  const { ours, theirs } = await socketPair();
  const { webSocket } = adoptWebSocket(ours, { whole: true });
  const connection = new WebSocketConnection(webSocket, ours, {
    remote: 'x',
    openedAtMs: 0,
    clock: systemClock,
  });
  const units: string[] = [];
  const pings: Buffer[] = [];
  let answers = 0;
  let taken = 0;
  let rest = Buffer.alloc(0);
  const answer = (): void => {
    for (; answers > 0 && pings.length > 0; answers--) theirs.write(clientFrame(10, pings.shift()!, MASK));
  };
  theirs.on('data', (chunk: Buffer) => {
    taken += chunk.length;
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      const length = rest[1] === 126 ? rest.length > 3 && rest.readUInt16BE(2) : rest[1];
      const head = rest[1] === 126 ? 4 : 2;
      if (length === undefined || length === false || rest.length < head + length) break;
      const payload = rest.subarray(head, head + length);
      if ((rest[0]! & 15) === 9) pings.push(Buffer.from(payload));
      else units.push(payload.toString('latin1'));
      rest = rest.subarray(head + length);
    }
    answer();
  });
  return {
    connection,
    units,
    bytesTaken: () => taken,
    answerPings: (count) => {
      answers = count;
      answer();
    },
  };
}

describe('a connection to an avatar that does not answer for what it was sent', () => {
  it('has no more under way than its window, keeps whole units back, and sends them in their order', async () => {
    const { connection, units, bytesTaken, answerPings } = await withSilentAvatar();
    const sent: string[] = [];
    const send = (unit: WireUnit): void => {
      sent.push(unitBytes(unit).toString('latin1'));
      connection.send(unit);
    };
    // The samples are the sender's again once they have been sent.
    const samples = new Int16Array(640);
    for (let i = 0; i < 200; i++) send(encodeFrame(samples.fill(i)));
    // A short command would have room where a frame has none; it must not overtake it.
    for (let i = 0; i < 3; i++) send(encodeCommand(`A|${i}`));
    const allBytes = sent.join('').length;
    await until(() => bytesTaken() > LIMIT / 2 && bytesTaken() + connection.unsentBytes >= allBytes);
    const first = bytesTaken();
    expect(first).toBeLessThanOrEqual(LIMIT);

    // What was answered for makes room for as much, and no more.
    answerPings(1);
    await until(() => bytesTaken() > first);
    await sleep(50);
    expect(bytesTaken() - first).toBeLessThan(LIMIT / 2);

    answerPings(Infinity);
    await until(() => connection.unsentBytes === 0 && units.length === sent.length);
    expect(units).toEqual(sent);
  });
});
