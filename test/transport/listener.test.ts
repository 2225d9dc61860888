import { once } from 'node:events';
import { Agent, get, type IncomingMessage } from 'node:http';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { SharedState } from '../../src/keeper/shared-state.js';
import { Listener } from '../../src/transport/listener.js';

it('remembers nothing more of a connection with each of its requests', async () => {
  const listener = new Listener();
  const sockets = new Set<Socket>();
  const listeners: number[] = [];
  listener.handleRequests((request, response) => {
    sockets.add(request.socket);
    listeners.push(request.socket.listenerCount('close'));
    response.end('here');
  });
  const { port } = await listener.listen({ host: '127.0.0.1', port: 0 });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  for (let i = 0; i < 20; i++) {
    const [response] = (await once(get({ port, agent }), 'response')) as [IncomingMessage];
    response.resume();
    await once(response, 'end');
  }
  expect(sockets.size).toBe(1);
  expect(listeners.at(-1)).toBe(listeners[2]);
  agent.destroy();
  await listener.close();
});

// Which ports need a permission differs by machine and user, so that the system's answer is given here.
it.each([
  ['EACCES', 'LISTEN_DENIED', 'Listening on 192.0.2.1:80 is not allowed.'],
  ['EADDRINUSE', 'PORT_IN_USE', 'Port 80 on 192.0.2.1 is in use.'],
  ['EADDRNOTAVAIL', 'HOST_INVALID', '192.0.2.1 is no address of this machine.'],
])('says what %s means for an address', async (systemCode, code, message) => {
  const listener = new Listener();
  const { server } = listener;
  vi.spyOn(server, 'listen').mockImplementation(() => {
    server.emit('error', Object.assign(new Error(systemCode), { code: systemCode }));
    return server;
  });
  await expect(listener.listen({ host: '192.0.2.1', port: 80 })).rejects.toMatchObject({ code, message });
});

describe('a connection that another process was about to read from', () => {
  /** A client, and this process's copy of its socket, whose requests are answered with their path. */
  async function handedOver(): Promise<{
    client: Socket;
    socket: Socket;
    listener: Listener;
    released: () => number;
    takeAgain(): void;
  }> {
    const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
    const [socket] = (await once(server, 'connection')) as [Socket];
    const sharedState = SharedState.create();
    const release = vi.fn();
    const listener = new Listener();
    listener.handleRequests((request, response) => response.end(request.url));
    onTestFinished(() => {
      client.destroy();
      socket.destroy();
      server.close();
      sharedState.close();
    });
    const heldSocket = { line: sharedState.writer(0), held: true, release, pass: vi.fn() };
    return {
      client,
      socket,
      listener,
      released: () => release.mock.calls.length,
      takeAgain: () => listener.takeAgain(socket, heldSocket),
    };
  }

  it('is answered when nothing had been read', async () => {
    const { client, takeAgain, released } = await handedOver();
    client.write('GET /there HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    takeAgain();
    const answer = await text(client);
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK/);
    expect(answer).toMatch(/\/there/);
    expect(released()).toBeGreaterThan(0);
  });

  it('is answered when its request comes only now, in pieces', async () => {
    const { client, takeAgain } = await handedOver();
    client.setNoDelay(true);
    takeAgain();
    client.write('GET /th');
    await new Promise((resolve) => setTimeout(resolve, 20));
    client.write('ere HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    expect(await text(client)).toMatch(/^HTTP\/1\.1 200 OK/);
  });

  it.each([
    ['half', 'ost: localhost\r\n\r\n'],
    ['all', ''],
  ])('is asked to come again when %s of its request had been read', async (_, rest) => {
    const { client, takeAgain, socket, released } = await handedOver();
    if (rest !== '') client.write(rest);
    takeAgain();
    expect(await text(client)).toMatch(/^HTTP\/1\.1 503 [^]*please ask again/);
    client.destroy();
    if (!socket.destroyed) await once(socket, 'close');
    expect(released()).toBeGreaterThan(0);
  });
});
