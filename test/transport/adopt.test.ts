import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { adoptWebSocket } from '../../src/transport/adopt.js';
import { clientFrame } from '../support/client-frames.js';
import { socketPair } from '../support/socket-pair.js';

const MASK = Buffer.from([9, 8, 7, 6]);

function read(socket: Socket, bytes: number): Promise<Buffer> {
  return new Promise((resolve) => {
    let all = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      all = Buffer.concat([all, chunk]);
      if (all.length >= bytes) resolve(all);
    });
  });
}

describe('a WebSocket on a connection that was upgraded elsewhere', () => {
  it('is open at once, sends unmasked frames, and hears messages and pongs', async () => {
    const { ours, theirs } = await socketPair();
    const { webSocket } = adoptWebSocket(ours, { whole: true });
    expect(webSocket.readyState).toBe(WebSocket.OPEN);
    const came = read(theirs, 7);
    webSocket.send(Buffer.from('HELLO'), { binary: true });
    expect((await came).toString('latin1')).toBe('\x82\x05HELLO');
    const message = once(webSocket, 'message');
    const pong = once(webSocket, 'pong');
    theirs.write(clientFrame(1, Buffer.from('A|B\n'), MASK));
    theirs.write(clientFrame(10, Buffer.from('mark-1'), MASK));
    expect(String((await message)[0])).toBe('A|B\n');
    expect(String((await pong)[0])).toBe('mark-1');
  });

  it('listens from the next whole message on where the beginning of one was lost', async () => {
    const { ours, theirs } = await socketPair();
    const skipped: number[] = [];
    const { webSocket, inbound } = adoptWebSocket(ours, {
      whole: false,
      onStep: (bytes) => skipped.push(bytes),
    });
    const heard: string[] = [];
    webSocket.on('message', (data: Buffer) => heard.push(data.toString()));
    expect(inbound.clean).toBe(false);
    theirs.write(clientFrame(1, Buffer.from('LOST|half\n'), MASK).subarray(4));
    theirs.write(clientFrame(1, Buffer.from('WHOLE|1\n'), MASK));
    theirs.write(clientFrame(1, Buffer.from('WHOLE|2\n'), MASK));
    while (heard.length < 2) await once(webSocket, 'message');
    expect(heard).toEqual(['WHOLE|1\n', 'WHOLE|2\n']);
    expect(skipped).toEqual([12]);
    expect(inbound.clean).toBe(true);
  });

  it('sends even before it is in step', async () => {
    const { ours, theirs } = await socketPair();
    const { webSocket } = adoptWebSocket(ours, { whole: false });
    const came = read(theirs, 3);
    webSocket.ping('x', false);
    expect((await came).toString('latin1')).toBe('\x89\x01x');
  });

  it('survives a message that is no UTF-8, and refuses one that is too long', async () => {
    const { ours, theirs } = await socketPair();
    const { webSocket } = adoptWebSocket(ours, { whole: true });
    const message = once(webSocket, 'message');
    theirs.write(clientFrame(1, Buffer.from([0x41, 0xe3, 0x81]), MASK));
    expect(((await message)[0] as Buffer).length).toBe(3);
    const error = once(webSocket, 'error');
    theirs.write(Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff]));
    expect(String((await error)[0])).toMatch(/size|payload/i);
  });

  it('tells of the end of the connection', async () => {
    const { ours, theirs } = await socketPair();
    const { webSocket } = adoptWebSocket(ours, { whole: true });
    const close = once(webSocket, 'close');
    theirs.destroy();
    await close;
    expect(webSocket.readyState).toBe(WebSocket.CLOSED);
  });

  it('is as quiet as `ws` promises of a server: nothing is sent that was not asked for', async () => {
    const { ours, theirs } = await socketPair();
    adoptWebSocket(ours, { whole: true });
    let came = 0;
    theirs.on('data', (chunk: Buffer) => (came += chunk.length));
    theirs.write(clientFrame(1, Buffer.from('A\n'), MASK));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(came).toBe(0);
  });
});
