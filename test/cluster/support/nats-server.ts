import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../../support/until.js';

/** The real nats-server on a private port. */
export interface NatsServer {
  readonly port: number;
  readonly url: string;
  /** Ends it as a crash does. */
  kill(): Promise<void>;
  /** Starts it again on the same port. */
  start(): Promise<void>;
  close(): Promise<void>;
}

/** A port that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Starts Debian's nats-server. @param config further lines of its configuration, given its folder */
export async function startNats(config: (folder: string) => string = () => ''): Promise<NatsServer> {
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), 'nats-'));
  const file = join(folder, 'nats.conf');
  await writeFile(file, `host: 127.0.0.1\nport: ${port}\n${config(folder)}\n`);
  let child: ChildProcess | undefined;
  let log = '';
  const server: NatsServer = {
    port,
    url: `nats://127.0.0.1:${port}`,
    async kill() {
      if (!child || child.exitCode !== null || child.signalCode !== null) return;
      const closed = once(child, 'close');
      child.kill('SIGKILL');
      await closed;
    },
    async start() {
      const started = spawn('nats-server', ['-c', file], { stdio: ['ignore', 'pipe', 'pipe'] });
      child = started;
      started.stderr.setEncoding('utf8').on('data', (text: string) => (log += text));
      started.stdout.resume();
      await until(() => log.includes('Server is ready') || started.exitCode !== null);
      if (started.exitCode !== null) throw new Error(`nats-server did not start:\n${log}`);
      log = '';
      await until(() => reaches(port));
    },
    async close() {
      await server.kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
  await server.start();
  return server;
}

async function reaches(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
