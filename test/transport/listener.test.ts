import { once } from 'node:events';
import { Agent, get, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { expect, it, vi } from 'vitest';
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
