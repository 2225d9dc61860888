/*
 * The least worker there is: it answers every connection with its process id, and keeps those that say `keep`.
 * TRIVIAL_FAIL in the environment: it ends with that status before it is ready.
 * TRIVIAL_PORT: it asks for that port, and ends with status 3 when it cannot be had.
 * TRIVIAL_LINGER_MS: how long it stays after another one has taken over, 20 by default.
 * A connection that says `crash` ends it with status 7, one that says `restart` asks for a planned restart.
 */
import type { Socket } from 'node:net';
import { Door, type Lease } from '../../../src/keeper/door.js';

const fail = process.env['TRIVIAL_FAIL'];
if (fail !== undefined) process.exit(Number(fail));
const door = Door.ofProcess({
  standby: process.env['TRIVIAL_STANDBY'] !== undefined,
  log: { json: true, level: 'info' },
});
if (!door) process.exit(9);

try {
  await door.listen({ host: '127.0.0.1', port: Number(process.env['TRIVIAL_PORT'] ?? 0) });
} catch {
  process.exit(3);
}

const kept = new Map<Socket, Lease>();

function serve(socket: Socket, lease: Lease): void {
  socket.on('error', () => undefined);
  socket.once('close', () => {
    kept.delete(socket);
    lease.release();
  });
  socket.on('data', (data) => {
    switch (data.toString()) {
      case 'keep':
        lease.line.stage('open');
        kept.set(socket, lease);
        socket.write(`kept ${process.pid}`);
        return;
      case 'crash':
        return process.exit(7);
      case 'restart':
        return door!.restart();
      case 'relay':
        return door!.relay({ from: process.pid });
      default:
        socket.write(`pid ${process.pid}`);
    }
  });
}

door.enter({
  fresh: serve,
  held: (socket, lease) => {
    serve(socket, lease);
    kept.set(socket, lease);
    socket.write(`adopted ${process.pid}`);
  },
  retire: () => {
    door.relay({ from: process.pid });
    for (const [socket, lease] of kept) {
      socket.destroy();
      lease.pass();
    }
    setTimeout(() => process.exit(0), Number(process.env['TRIVIAL_LINGER_MS'] ?? 20));
  },
  crowded: (now) => {
    for (const socket of kept.keys()) socket.write(now ? 'crowded ' : 'alone ');
  },
  stop: () => process.exit(0),
  orphaned: () => process.exit(4),
  relayed: (data) => {
    for (const socket of kept.keys()) socket.write(`relayed ${JSON.stringify(data)}`);
  },
});
