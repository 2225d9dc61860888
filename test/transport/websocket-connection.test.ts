import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { encodeFrame, SEGMENT_END } from '../../src/agent/wire.js';
import type { HeldSocket } from '../../src/keeper/keeper-client.js';
import { SharedState, type SlotState } from '../../src/keeper/shared-state.js';
import { adoptWebSocket } from '../../src/transport/adopt.js';
import { WebSocketConnection } from '../../src/transport/websocket-connection.js';

/** A connection whose other side nobody reads, and what is written down of it. */
async function held(): Promise<{ connection: WebSocketConnection; socket: Socket; line(): SlotState }> {
  const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const deaf = connect((server.address() as { port: number }).port, '127.0.0.1').pause();
  const [socket] = (await once(server, 'connection')) as [Socket];
  const sharedState = SharedState.create();
  onTestFinished(() => {
    deaf.destroy();
    socket.destroy();
    server.close();
    sharedState.close();
  });
  const heldSocket: HeldSocket = {
    line: sharedState.writer(0),
    held: true,
    release: () => undefined,
    pass: () => undefined,
  };
  const { webSocket, inbound } = adoptWebSocket(socket, { whole: true });
  const connection = new WebSocketConnection(webSocket, socket, {
    remote: 'test',
    openedAtMs: 0,
    clock: systemClock,
    heldSocket,
    inbound,
  });
  return { connection, socket, line: () => sharedState.read(0) };
}

const frame = encodeFrame(new Int16Array(640));

describe('what is written down of a held connection', () => {
  it('is each frame, and that it has left, and the end of the segment', async () => {
    const { connection, line } = await held();
    connection.send(frame);
    connection.send(frame);
    await Promise.resolve();
    expect(line()).toMatchObject({ segmentSamples: 1280, inDoubt: false });
    connection.send(SEGMENT_END);
    expect(line()).toMatchObject({ segmentSamples: 0, inDoubt: false });
  });

  it('is a doubt about a frame that the system has not taken', async () => {
    const { connection, socket, line } = await held();
    // Fills what the system keeps for a socket that nobody reads, past the window of what may be under way.
    while (socket.writableLength === 0) socket.write(Buffer.alloc(1_000_000));
    connection.send(frame);
    expect(line()).toMatchObject({ segmentSamples: 640, inDoubt: true });
  });
});
