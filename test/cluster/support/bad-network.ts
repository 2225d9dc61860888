import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { randomNumbers } from '../../support/signals.js';

/** A TCP connection's way to a server that is long, loses packets and can be cut. */
export interface BadNetwork {
  readonly url: string;
  /** Passes nothing on from now on, and closes nothing: a partition. */
  cut(): void;
  /** Passes on again, after all that was held back. */
  heal(): void;
  close(): Promise<void>;
}

/** What the way is like. */
export interface NetworkOptions {
  /** In each direction, in ms. */
  readonly delayMs?: number;
  /** Part of the pieces that TCP would have to send again: each holds up all behind it for two round trips. */
  readonly loss?: number;
}

/** Starts a proxy of TCP connections to a local port. */
export async function startBadNetwork(
  port: number,
  { delayMs = 0, loss = 0 }: NetworkOptions = {},
): Promise<BadNetwork> {
  const random = randomNumbers(7);
  const sockets = new Set<Socket>();
  let isCut = false;
  let onHeal: (() => void)[] = [];
  const healed = (): Promise<void> =>
    isCut ? new Promise((resolve) => onHeal.push(resolve)) : Promise.resolve();

  const carry = (from: Socket, to: Socket): void => {
    let freeAtMs = 0;
    let last: Promise<unknown> = Promise.resolve();
    from.on('data', (chunk: Buffer) => {
      const stallMs = random() < loss ? 4 * delayMs : 0;
      freeAtMs = Math.max(freeAtMs, performance.now() + delayMs) + stallMs;
      const waitMs = freeAtMs - performance.now();
      const arrived = new Promise((resolve) => setTimeout(resolve, waitMs));
      last = last
        .then(() => arrived)
        .then(healed)
        .then(() => to.destroyed || to.write(chunk));
    });
    from.on('close', () => void last.then(healed).then(() => to.destroy()));
    from.on('error', () => undefined);
  };
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true);
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    }
    carry(client, upstream);
    carry(upstream, client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `nats://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut: () => (isCut = true),
    heal() {
      isCut = false;
      for (const resolve of onHeal.splice(0)) resolve();
      onHeal = [];
    },
    async close() {
      isCut = false;
      for (const resolve of onHeal.splice(0)) resolve();
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
