import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../../support/until.js';

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** A RabbitMQ server of its own: private ports and a private folder. */
export class RabbitMq {
  readonly port: number;
  readonly #folder: string;
  readonly #distributionPort: number;
  readonly #epmdPort: number;
  #child: ChildProcess | undefined;
  #nameServer: ChildProcess | undefined;

  private constructor([port, distributionPort, epmdPort]: [number, number, number], folder: string) {
    this.port = port;
    this.#distributionPort = distributionPort;
    this.#epmdPort = epmdPort;
    this.#folder = folder;
  }

  static async start(): Promise<RabbitMq> {
    const folder = await mkdtemp(join(tmpdir(), 'rabbitmq-'));
    const server = new RabbitMq([await freePort(), await freePort(), await freePort()], folder);
    await server.run();
    return server;
  }

  /** Runs it, also again after `kill`. */
  async run(): Promise<void> {
    await mkdir(join(this.#folder, 'log'), { recursive: true });
    // Started here, it can be ended by its id; RabbitMQ would leave one behind.
    this.#nameServer ??= spawn('epmd', ['-port', String(this.#epmdPort), '-address', '127.0.0.1'], {
      stdio: 'ignore',
    });
    this.#child = spawn('/usr/lib/rabbitmq/bin/rabbitmq-server', {
      stdio: 'ignore',
      detached: true,
      env: {
        ...process.env,
        HOME: this.#folder,
        RABBITMQ_NODENAME: `test${this.port}@localhost`,
        RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
        RABBITMQ_NODE_PORT: String(this.port),
        RABBITMQ_DIST_PORT: String(this.#distributionPort),
        RABBITMQ_MNESIA_BASE: this.#folder,
        RABBITMQ_LOG_BASE: join(this.#folder, 'log'),
        RABBITMQ_PID_FILE: join(this.#folder, 'pid'),
        RABBITMQ_ENABLED_PLUGINS_FILE: join(this.#folder, 'plugins'),
        // Its own name server, which would else stay behind for the whole machine.
        ERL_EPMD_ADDRESS: '127.0.0.1',
        ERL_EPMD_PORT: String(this.#epmdPort),
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
      },
    });
    await until(() => answers(this.port), 'RabbitMQ answers', 60_000);
  }

  /** Ends it at once. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child?.pid || child.exitCode !== null) return;
    const gone = once(child, 'exit');
    process.kill(-child.pid, 'SIGKILL');
    await gone;
  }

  async stop(): Promise<void> {
    await this.kill();
    this.#nameServer?.kill('SIGKILL');
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** True when it speaks AMQP on that port. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('AMQP\0\0\x09\x01'));
    socket.setTimeout(2000, () => socket.destroy());
    socket.once('data', () => {
      resolve(true);
      socket.destroy();
    });
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
  });
}
