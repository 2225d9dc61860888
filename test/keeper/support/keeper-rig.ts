import { get } from 'node:http';
import { connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { Keeper, type KeeperOptions } from '../../../src/keeper/keeper.js';
import { until } from '../../support/bridge-rig.js';
import { buildForProcess } from '../../support/built.js';

/** A keeper under test, with what it logged. */
export interface KeeperRig {
  readonly keeper: Keeper;
  readonly port: number;
  readonly log: string[];
}

/** A keeper on a free loopback port; ended, with its workers, when the test ends. */
export async function startKeeper(
  worker: 'trivial' | 'worker',
  options: Partial<KeeperOptions> & { env?: NodeJS.ProcessEnv } = {},
): Promise<KeeperRig> {
  const { env, ...rest } = options;
  const log: string[] = [];
  const keeper = new Keeper({
    program: {
      module: buildForProcess(`test/keeper/support/${worker}.ts`),
      args: [],
      execArgv: [],
      env: { ...process.env, ...env },
    },
    log: (level, message) => log.push(`${level}: ${message}`),
    ...rest,
  });
  onTestFinished(async () => {
    keeper.stop();
    keeper.stop();
    await keeper.ended;
  });
  await Promise.race([until(() => keeper.port !== undefined, 'the port', 30_000), keeper.ended]);
  return { keeper, port: keeper.port ?? 0, log };
}

/** A client's connection that gathers what comes. */
export class Client {
  readonly socket: Socket;
  text = '';
  closed = false;

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('data', (data) => (this.text += data.toString()));
    this.socket.on('error', () => undefined);
    this.socket.on('close', () => (this.closed = true));
    onTestFinished(() => void this.socket.destroy());
  }

  say(text: string): this {
    this.socket.write(text);
    return this;
  }
}

/** A request on a connection of its own. @returns the answer's JSON, or undefined when the connection broke */
export function ask<T>(port: number, path: string): Promise<T | undefined> {
  return new Promise((resolve) => {
    const request = get({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      let text = '';
      response.on('data', (data) => (text += String(data)));
      response.on('end', () => resolve(response.statusCode === 200 ? (JSON.parse(text) as T) : undefined));
      response.on('error', () => resolve(undefined));
    });
    request.on('error', () => resolve(undefined));
  });
}
