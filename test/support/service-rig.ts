import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request, type RequestOptions } from 'node:http';
import { type BridgeHandle, type OpenOptions, openBridge } from '../../src/bridge.js';
import type { AboutJson } from '../../src/service/routes/root.js';
import { attachService, type Service, type ServiceOptions } from '../../src/service/service.js';
import { SimulatedAvatar, type SimulatorOptions } from '../../src/simulator/index.js';
import { until } from './until.js';

export { until } from './until.js';

/** A bridge with its control API on a free port, and whatever avatars a test adds. */
export interface ServiceRig {
  readonly bridge: BridgeHandle;
  readonly service: Service;
  readonly port: number;
  /** Connects a simulated avatar and waits until it can speak. */
  avatar(options?: Partial<SimulatorOptions> & { name?: string }): Promise<SimulatedAvatar>;
  /** Opens a request; its body is for the caller to send. */
  open(method: string, path: string, options?: RequestOptions): ClientRequest;
  /** A whole exchange. */
  ask(method: string, path: string, options?: AskOptions): Promise<Answer>;
  /** What the service says of itself. */
  about(): Promise<AboutJson>;
  close(): Promise<void>;
}

/** What a request of a test says. */
export interface AskOptions {
  readonly json?: unknown;
  readonly body?: Uint8Array | string;
  readonly headers?: Record<string, string>;
}

/** Anything that JSON can say, as far down as a test looks. */
export interface Json {
  readonly [key: string]: Json & string & number;
}

/** What came back. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
  /** The body as JSON. */
  readonly json: Json;
}

/** Starts a rig, which waits for no sound device. Close it in `afterEach`. */
export async function startService(
  options: OpenOptions = {},
  serviceOptions: ServiceOptions = {},
): Promise<ServiceRig> {
  const bridge = await openBridge({ port: 0, firstSoundMs: 0, ...options });
  const service = await attachService(bridge, serviceOptions);
  const { port } = bridge.address;
  const avatars: SimulatedAvatar[] = [];

  const rig: ServiceRig = {
    bridge,
    service,
    port,
    async avatar({ name, ...given } = {}) {
      const path = name === undefined ? '/chat' : `/chat/${encodeURIComponent(name)}`;
      const avatar = new SimulatedAvatar({
        url: `ws://127.0.0.1:${port}${path}`,
        readyAfterMs: 60,
        audioOpenMs: 0,
        ...given,
      });
      avatars.push(avatar);
      await avatar.connect();
      // Set up to its last command, so that whatever comes then is the test's own doing.
      const isSetUp = (): boolean =>
        rig.bridge.findAgent(name ?? 'default')?.state === 'ready' &&
        avatar.report().commands.some(({ line }) => line.startsWith('__AV_SETMODEL'));
      if (given.readyAfterMs !== Infinity) await until(isSetUp);
      return avatar;
    },
    open: (method, path, more = {}) =>
      request({ host: '127.0.0.1', port, method, path, agent: false, ...more }),
    async ask(method, path, { json, body, headers = {} } = {}) {
      const sent = json === undefined ? body : JSON.stringify(json);
      const outgoing = rig.open(method, path, {
        headers: {
          ...(json !== undefined && { 'content-type': 'application/json' }),
          ...(sent !== undefined && { 'content-length': Buffer.byteLength(sent) }),
          ...headers,
        },
      });
      outgoing.end(sent);
      const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
      return answerOf(response);
    },
    about: async () => (await rig.ask('GET', '/api')).json as unknown as AboutJson,
    async close() {
      await bridge.close();
      for (const avatar of avatars) avatar.leave();
    },
  };
  return rig;
}

/** Reads an answer to its end. */
export async function answerOf(response: IncomingMessage): Promise<Answer> {
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk as string;
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    text,
    get json() {
      return JSON.parse(text) as Json;
    },
  };
}

/** The objects of an answer of one JSON object a line, as they come. */
export async function* linesOf(response: IncomingMessage): AsyncGenerator<Record<string, unknown>> {
  let rest = '';
  for await (const chunk of response.setEncoding('utf8')) {
    const lines = (rest + (chunk as string)).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) yield JSON.parse(line) as Record<string, unknown>;
  }
}

/** One server-sent event. */
export interface SentEvent {
  readonly id?: string;
  readonly event?: string;
  readonly data: Record<string, unknown>;
}

/** The events of a stream, as they come; comments are passed over. */
export async function* eventsOf(response: IncomingMessage): AsyncGenerator<SentEvent> {
  let rest = '';
  for await (const chunk of response.setEncoding('utf8')) {
    const blocks = (rest + (chunk as string)).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const fields = Object.fromEntries(
        block
          .split('\n')
          .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]),
      ) as Record<string, string>;
      if (fields['data'] === undefined) continue;
      yield {
        ...(fields['id'] !== undefined && { id: fields['id'] }),
        ...(fields['event'] !== undefined && { event: fields['event'] }),
        data: JSON.parse(fields['data']) as Record<string, unknown>,
      };
    }
  }
}
