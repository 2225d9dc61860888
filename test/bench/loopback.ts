import { connect, createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';

/** A socket whose other end takes everything and says nothing. */
export interface BareSocket {
  write(bytes: Uint8Array): void;
  close(): void;
}

/** A bare socket to this machine, as a baseline. */
export async function loopback(): Promise<BareSocket> {
  const server = createServer((socket) => socket.resume());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  await once(socket, 'connect');
  socket.setNoDelay(true);
  return {
    write: (bytes) => void socket.write(bytes),
    close: () => {
      socket.destroy();
      server.close();
    },
  };
}
