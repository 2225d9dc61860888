import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { SimulatedAvatar } from '../../../src/simulator/index.js';
import { command, type CommandRun } from '../../support/command.js';
import {
  answerOf,
  eventsOf,
  linesOf,
  until,
  type Answer,
  type SentEvent,
} from '../../support/service-rig.js';
import { freePort } from './nats-server.js';

/** A node as a process of its own. */
export interface NodeProcess {
  readonly name: string;
  readonly port: number;
  readonly run: CommandRun;
  avatar(name: string): Promise<SimulatedAvatar>;
  ask(method: string, path: string, body?: Uint8Array | object): Promise<Answer>;
  /** A live answer: its lines as they come. */
  speak(agent: string, body: Uint8Array, query?: string): Promise<LiveAnswer>;
  /** Everything that is told to a follower from now on. */
  follow(): Promise<SentEvent[]>;
  /** Ends it as a crash does. */
  kill(): Promise<void>;
}

/** The lines of a live answer. */
export interface LiveAnswer {
  readonly lines: Record<string, unknown>[];
  readonly ended: Promise<void>;
}

/** Starts `serve` as a process. @param url of the NATS server */
export async function startNode(
  name: string,
  url: string,
  options: readonly string[] = [],
): Promise<NodeProcess> {
  const port = await freePort();
  const run = command([
    ...['serve', '--port', String(port), '--no-keeper', '--lead-ms', '1000', '--json'],
    ...['--nats', url, '--node', name, ...options],
  ]);
  await run.says('listening');
  const avatars: SimulatedAvatar[] = [];
  void run.exit.then(() => avatars.forEach((avatar) => avatar.leave()));
  const node: NodeProcess = {
    name,
    port,
    run,
    async avatar(agent) {
      const avatar = new SimulatedAvatar({
        url: `ws://127.0.0.1:${port}/chat/${agent}`,
        readyAfterMs: 60,
        audioOpenMs: 0,
      });
      avatars.push(avatar);
      await avatar.connect();
      await nodeShows(node, agent);
      return avatar;
    },
    async ask(method, path, body) {
      const json = body !== undefined && !(body instanceof Uint8Array);
      const outgoing = request({
        ...{ host: '127.0.0.1', port, method, path, agent: false },
        headers: json ? { 'content-type': 'application/json' } : {},
      });
      outgoing.end(json ? JSON.stringify(body) : body);
      const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
      return answerOf(response);
    },
    async speak(agent, body, query = '') {
      const outgoing = request({
        ...{
          host: '127.0.0.1',
          port,
          method: 'POST',
          path: `/api/agents/${agent}/speeches${query}`,
          agent: false,
        },
        headers: { accept: 'application/x-ndjson' },
      });
      outgoing.on('error', () => undefined);
      outgoing.end(body);
      const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
      const lines: Record<string, unknown>[] = [];
      const ended = (async () => {
        for await (const line of linesOf(response)) lines.push(line);
      })();
      return { lines, ended };
    },
    async follow() {
      const outgoing = request({ host: '127.0.0.1', port, path: '/api/events', agent: false });
      outgoing.on('error', () => undefined);
      outgoing.end();
      const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
      const events: SentEvent[] = [];
      void (async () => {
        for await (const event of eventsOf(response)) events.push(event);
      })().catch(() => undefined);
      await until(() => events.length > 0);
      return events;
    },
    async kill() {
      run.child.kill('SIGKILL');
      await run.exit;
    },
  };
  return node;
}

/** Waits until a node shows an agent in this state. */
export async function nodeShows(node: NodeProcess, agent: string, state = 'ready'): Promise<void> {
  await until(
    async () => {
      const { json } = await node.ask('GET', '/api/agents');
      const agents = json['agents'] as unknown as { name: string; state: string }[];
      return agents.some((one) => one.name === agent && one.state === state);
    },
    `${node.name} shows ${agent} as ${state}`,
    30_000,
  );
}
