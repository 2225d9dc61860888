import { once } from 'node:events';
import { Agent, get, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { expect, it } from 'vitest';
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
