/*
 * The least worker there is: it answers every connection with its process id, and keeps those that say `keep`.
 * TRIVIAL_FAIL in the environment: it ends with that status before it is ready.
 * TRIVIAL_PORT: it asks for that port, and ends with status 3 when it cannot be had.
 * TRIVIAL_LINGER_MS: how long it stays after another one has taken over, 20 by default.
 * A connection that says `crash` ends it with status 7, one that says `restart` asks for a planned restart.
 */
import type { Socket } from 'node:net';
import { KeeperClient, type HeldSocket } from '../../../src/keeper/keeper-client.js';

const fail = process.env['TRIVIAL_FAIL'];
if (fail !== undefined) process.exit(Number(fail));
const keeperClient = KeeperClient.ofProcess({
  standby: process.env['TRIVIAL_STANDBY'] !== undefined,
  log: { json: true, level: 'info' },
});
if (!keeperClient) process.exit(9);

try {
  await keeperClient.listen({ host: '127.0.0.1', port: Number(process.env['TRIVIAL_PORT'] ?? 0) });
} catch {
  process.exit(3);
}

const kept = new Map<Socket, HeldSocket>();

function serve(socket: Socket, heldSocket: HeldSocket): void {
  socket.on('error', () => undefined);
  socket.once('close', () => {
    kept.delete(socket);
    heldSocket.release();
  });
  socket.on('data', (data) => {
    switch (data.toString()) {
      case 'keep':
        heldSocket.line.stage('open');
        kept.set(socket, heldSocket);
        socket.write(`kept ${process.pid}`);
        return;
      case 'crash':
        return process.exit(7);
      case 'restart':
        return keeperClient!.restart();
      case 'relay':
        return keeperClient!.relay({ from: process.pid });
      default:
        socket.write(`pid ${process.pid}`);
    }
  });
}

keeperClient.enter({
  fresh: serve,
  held: (socket, heldSocket) => {
    serve(socket, heldSocket);
    kept.set(socket, heldSocket);
    socket.write(`adopted ${process.pid}`);
  },
  retire: () => {
    keeperClient.relay({ from: process.pid });
    for (const [socket, heldSocket] of kept) {
      socket.destroy();
      heldSocket.pass();
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
