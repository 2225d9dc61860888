import type { ClientRequest, IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ALL_AGENTS } from '../agent/registry.js';
import { BridgeError } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import { isLocalCaller } from '../service/guards.js';
import { Slots } from '../service/limits.js';
import { PROBLEM_TYPE, toProblem } from '../service/problem.js';
import { NDJSON_TYPE } from '../service/speech-answer.js';
import { linger, stayForAnswer } from '../service/upload.js';
import { merged, type GroupAnswer } from './answers.js';
import { ask, failedAnswer, failureOf, passedOn, readAnswer } from './forward.js';
import { FanOut } from './fan-out.js';
import type { NodeLink } from './link.js';
import { agentNamed, shownName, type AgentOfNode, type NameView } from './names.js';
import { soundOfUrl, type SoundOfUrl } from './url-body.js';

/** Maximum number of open requests about agents of other nodes. */
const MAX_FORWARDED = 1024;
/** Maximum JSON body that is sent to several nodes, in bytes. */
const MAX_JSON_BYTES = 4 * 1024 * 1024;

const AGENT_PATH = /^(\/api\/agents\/)([^/?]+)(.*)$/;

/** Routes that take several agents, and the way to merge the answers of several nodes. */
const GROUP_ROUTES: Readonly<Record<string, GroupAnswer | 'first'>> = {
  'POST /speeches': 'speak',
  'PUT /speeches': 'speak',
  'POST /say': 'speak',
  'GET /speeches': 'list',
  'POST /commands': 'commands',
  'POST /interrupt': 'interrupt',
  'POST /pause': 'state',
  'POST /resume': 'state',
  'GET /speeches/:id': 'first',
  'DELETE /speeches/:id': 'first',
  'POST /speeches/:id/cues': 'first',
};

/** Options of the router. */
export interface RouterOptions {
  readonly view: NameView;
  readonly logger: Logger;
  /**
   * Opens a link to a node; to this one for the part of a request that concerns its own agents.
   * @param client the request that caused it
   * @throws BridgeError NODE_UNREACHABLE
   */
  open(node: string, client: IncomingMessage): NodeLink;
}

/** Agents of one node that a request concerns. */
interface Part {
  readonly node: string;
  /** Agent name or list in the path of that node's own route. */
  readonly name: string;
  readonly agents: readonly AgentOfNode[];
}

/** Forwards requests about agents of other nodes to the same routes there. */
export class Router {
  readonly #options: RouterOptions;
  readonly #slots = new Slots(MAX_FORWARDED, 'STREAM_LIMIT', 'requests to other nodes');

  constructor(options: RouterOptions) {
    this.#options = options;
  }

  /** See `OtherNodes.forward`. */
  forward(request: FastifyRequest, reply: FastifyReply): boolean {
    const params = request.params as { name?: string };
    const route = request.routeOptions.url ?? '';
    const [, , , rest] = AGENT_PATH.exec(request.url) ?? [];
    const { name } = params;
    if (name === undefined || rest === undefined || !route.startsWith('/api/agents/:name')) return false;
    const behind = route.slice('/api/agents/:name'.length);
    // This node reports the events of all nodes itself; a stream comes by an upgrade.
    if (behind === '/events' || behind === '/stream') return false;
    const kind = GROUP_ROUTES[`${request.method} ${behind}`];
    const { parts, order } = this.#plan(name, kind !== undefined);
    const { self } = this.#options.view;
    if (parts.every(({ node }) => node === self)) {
      params.name = parts[0]?.name ?? name;
      return false;
    }
    const leave = this.#slots.take();
    let links: NodeLink[] = [];
    try {
      // All or none: an unreachable node is reported before any agent speaks.
      links = parts.map(({ node }) => this.#options.open(node, request.raw));
    } catch (error) {
      for (const link of links) link.destroy();
      leave();
      throw error;
    }
    reply.hijack();
    stayForAnswer(request.raw, reply.raw);
    reply.raw.once('close', leave);
    const exchange = new Exchange(request, reply, name, this.#options);
    const paths = parts.map((part) => `/api/agents/${encodeURIComponent(part.name)}${rest}`);
    void (
      parts.length === 1
        ? exchange.one(links[0]!, paths[0]!)
        : exchange.several({ parts, order, links, paths, kind: kind! })
    ).catch((error: unknown) => exchange.fail(error));
    return true;
  }

  #plan(name: string, groups: boolean): { parts: Part[]; order: AgentOfNode[] } {
    const { view } = this.#options;
    const isGroup = groups && (name === ALL_AGENTS || name.includes(','));
    if (!isGroup) {
      const { node, name: plain } = agentNamed(view, name);
      const order = [{ node, name: plain }];
      return { parts: [{ node, name: plain, agents: order }], order };
    }
    const agents = name === ALL_AGENTS ? connected(view) : listed(view, name);
    if (name === ALL_AGENTS && agents.every(({ node }) => node === view.self)) {
      return { parts: [{ node: view.self, name, agents }], order: agents };
    }
    const byNode = new Map<string, AgentOfNode[]>();
    for (const agent of agents) byNode.set(agent.node, [...(byNode.get(agent.node) ?? []), agent]);
    const parts = [...byNode].map(([node, members]) => {
      const names = [...new Set(members.map((member) => member.name))];
      // An answer about several agents is a list, also when the part has a single one.
      if (names.length === 1 && byNode.size === 1) names.push(names[0]!);
      return { node, name: names.join(','), agents: members };
    });
    return { parts, order: agents };
  }
}

/** Returns every connected agent, those of this node first. */
function connected(view: NameView): AgentOfNode[] {
  return [view.self, ...view.nodes()].flatMap((node) =>
    [...view.agentsOf(node)].filter(([, { state }]) => state !== 'absent').map(([name]) => ({ node, name })),
  );
}

/** Returns the agents of a list. Each has to be known, because the others cannot wait for it. */
function listed(view: NameView, text: string): AgentOfNode[] {
  const names = text.split(',').map((part) => part.trim());
  // This node's own route reports an invalid list.
  if (names.some((name) => name === '' || name === ALL_AGENTS)) return [{ node: view.self, name: text }];
  return names.flatMap((name) => {
    const agent = agentNamed(view, name);
    const known = view.agentsOf(agent.node);
    if (agent.name === ALL_AGENTS) {
      return [...known]
        .filter(([, { state }]) => state !== 'absent')
        .map(([one]) => ({ node: agent.node, name: one }));
    }
    if (known.has(agent.name)) return [agent];
    throw new BridgeError('AGENT_UNKNOWN', `There is no agent ${JSON.stringify(name.slice(0, 80))}.`);
  });
}

/** One client request that other nodes answer. */
class Exchange {
  readonly #request: FastifyRequest;
  readonly #reply: FastifyReply;
  /** Agent name or list as the client wrote it. */
  readonly #name: string;
  readonly #options: RouterOptions;
  #ended = false;

  constructor(request: FastifyRequest, reply: FastifyReply, name: string, options: RouterOptions) {
    this.#request = request;
    this.#reply = reply;
    this.#name = name;
    this.#options = options;
  }

  /** Forwards the request to one node. @param path with its query */
  async one(link: NodeLink, path: string): Promise<void> {
    this.#endWithClient([link]);
    const { body, sound } = await this.#body(path, [link]);
    const outgoing = this.#ask(link, path, sound);
    const answer = readAnswer(link, outgoing, this.#shown, {
      head: (status, type, headers) => {
        if (type === NDJSON_TYPE) this.#head(status, type, headers);
        else this.#told = { status, type, headers };
      },
      json: (json) => this.#json(this.#told.status, json, this.#told.type, this.#told.headers),
      line: (event) => this.#line(event, () => answer.resume()),
      end: (error) => this.#end(error),
    });
    this.#send(outgoing, body, sound, [link]);
  }

  /** Forwards the request to several nodes, each for its own agents. */
  async several({
    parts,
    order,
    links,
    paths,
    kind,
  }: {
    readonly parts: readonly Part[];
    /** All agents, in the order of the answer. */
    readonly order: readonly AgentOfNode[];
    readonly links: readonly NodeLink[];
    readonly paths: readonly string[];
    readonly kind: GroupAnswer | 'first';
  }): Promise<void> {
    this.#endWithClient(links);
    const { body, sound } = await this.#body(paths[0]!, links);
    const requests = links.map((link, index) => this.#ask(link, paths[index]!, sound));
    const live = kind === 'speak' && this.#request.headers.accept?.includes(NDJSON_TYPE) === true;
    const answers = links.map((link, index) => this.#part(link, requests[index]!, live));
    this.#send(new FanOut(requests, links), body, sound, links);
    const told = await Promise.all(answers.map(({ first }) => first));
    const shown = parts.map(({ agents }) => agents.map(this.#shown));
    const all = told.map((answer, index) => ({ ...answer, agents: shown[index]! }));
    if (!live || all.every(({ status }) => status >= 400)) {
      const { status, json } =
        kind === 'first' ? firstOf(all) : merged(kind, all, order.map(this.#shown), commandsOf(body));
      this.#json(status, json, status >= 400 ? PROBLEM_TYPE : 'application/json');
    }
    await Promise.all(answers.map(({ whole }) => whole));
    this.#end(undefined);
  }

  /** Answers with an error, or cuts off an answer that has begun. */
  fail(thrown: unknown): void {
    const error =
      thrown instanceof BridgeError
        ? thrown
        : new BridgeError('INTERNAL', 'The request failed inside the bridge; its log says more.', {
            cause: thrown,
          });
    if (error.code === 'INTERNAL') {
      this.#options.logger.error(
        { error: thrown instanceof Error ? thrown.stack : thrown },
        'a request to another node failed',
      );
    }
    this.#end(error);
  }

  #told: { status: number; type: string; headers: IncomingMessage['headers'] } = {
    status: 500,
    type: 'application/json',
    headers: {},
  };

  readonly #shown = (agent: AgentOfNode): string => shownName(this.#options.view, agent);

  /** Returns a whole JSON body, and the sound at its address, for a caller on this machine. */
  async #body(
    path: string,
    links: readonly NodeLink[],
  ): Promise<{ body: Buffer | undefined; sound: SoundOfUrl | undefined }> {
    const { raw } = this.#request;
    if (!isJsonBody(raw)) return { body: undefined, sound: undefined };
    const body = await wholeBody(raw);
    const [before, query = ''] = path.split('?', 2);
    if (!before!.endsWith('/speeches') || !isLocalCaller(raw)) return { body, sound: undefined };
    return { body, sound: await soundOfUrl(body, query, endOf(links)) };
  }

  #ask(link: NodeLink, path: string, sound: SoundOfUrl | undefined): ClientRequest {
    const { raw } = this.#request;
    const headers = passedOn(raw.headers);
    if (sound) {
      headers['content-type'] = sound.type;
      delete headers['content-length'];
    }
    const to = sound ? path.split('?', 1)[0]! + sound.query : path;
    const request = ask(link, { method: raw.method!, path: to, headers });
    // Sent before the body: the client may send its sound only once the other node has accepted the request.
    request.flushHeaders();
    return request;
  }

  #send(
    to: NodeJS.WritableStream,
    body: Buffer | undefined,
    sound: SoundOfUrl | undefined,
    links: readonly NodeLink[],
  ): void {
    const { raw } = this.#request;
    if (sound) return void sound.send(to, links);
    if (body) return void to.end(body);
    if (!hasBody(raw)) return void to.end();
    raw.pipe(to);
    raw.once('close', () => {
      if (raw.complete) return;
      const gone = new BridgeError('CLOSED', 'The client went away in the middle of its upload.');
      for (const link of links) link.destroy(gone);
    });
    endOf(links).addEventListener('abort', () => raw.unpipe(to));
  }

  /** Sends one node's part of a group: `first` settles with its JSON, `whole` at its end. Neither rejects. */
  #part(
    link: NodeLink,
    request: ClientRequest,
    live: boolean,
  ): { first: Promise<{ status: number; json: unknown }>; whole: Promise<void> } {
    let status = 500;
    let tell!: (answer: { status: number; json: unknown }) => void;
    let over!: () => void;
    const first = new Promise<{ status: number; json: unknown }>((resolve) => (tell = resolve));
    const whole = new Promise<void>((resolve) => (over = resolve));
    const answer = readAnswer(link, request, this.#shown, {
      head: (code, type) => {
        status = code;
        if (!live || type !== NDJSON_TYPE) return;
        this.#head(code, type);
        tell({ status, json: {} });
      },
      json: (json) => tell({ status, json }),
      line: (event) => this.#line(event, () => answer.resume()),
      end: (error) => {
        tell(error ? failedAnswer(error) : { status, json: {} });
        over();
      },
    });
    return { first, whole };
  }

  #endWithClient(links: readonly NodeLink[]): void {
    this.#reply.raw.once('close', () => {
      if (this.#ended) return;
      for (const link of links) link.destroy(new BridgeError('CLOSED', 'The client went away.'));
    });
  }

  #head(status: number, type: string, told: IncomingMessage['headers'] = {}): void {
    const { raw } = this.#reply;
    if (raw.headersSent) return;
    const headers: OutgoingHttpHeaders = {
      ...(this.#reply.getHeaders() as OutgoingHttpHeaders),
      'content-type': `${type}${type === NDJSON_TYPE || type === 'application/json' ? '; charset=utf-8' : ''}`,
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    };
    if (told.location !== undefined) {
      headers['location'] = told.location.replace(AGENT_PATH, `$1${encodeURIComponent(this.#name)}$3`);
    }
    raw.writeHead(status, headers);
    raw.flushHeaders();
  }

  #json(status: number, json: unknown, type: string, headers?: IncomingMessage['headers']): void {
    if (this.#ended) return;
    this.#head(status, type, headers);
    this.#reply.raw.write(JSON.stringify(json));
  }

  #line(event: unknown, resume: () => void): boolean {
    const { raw } = this.#reply;
    if (raw.destroyed || raw.writableEnded) return true;
    if (!raw.headersSent) this.#head(200, NDJSON_TYPE);
    if (raw.write(`${JSON.stringify(event)}\n`)) return true;
    raw.once('drain', resume);
    return false;
  }

  #end(error: BridgeError | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    const { raw } = this.#reply;
    if (error && !raw.headersSent && !raw.destroyed) {
      const problem = toProblem(error);
      this.#head(problem.status, PROBLEM_TYPE);
      raw.write(JSON.stringify(problem));
    }
    raw.end();
    linger(this.#request.raw);
  }
}

/** Returns the answer of the one node that has the speech, else the reason why none has it. */
function firstOf<Part extends { status: number; json: unknown }>(parts: readonly Part[]): Part {
  const found = parts.find(({ status }) => status < 400);
  const refused = parts.find(({ json }) => (json as { code?: string }).code !== 'SPEECH_UNKNOWN');
  return found ?? refused ?? parts[0]!;
}

/** True when a request brings a body. */
function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

function isJsonBody({ headers }: IncomingMessage): boolean {
  return /^application\/json\b/i.test(headers['content-type'] ?? '');
}

async function wholeBody(raw: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of raw) {
    bytes += (chunk as Buffer).length;
    if (bytes > MAX_JSON_BYTES) {
      throw new BridgeError('BODY_TOO_LARGE', 'The body of the request is larger than this route takes.');
    }
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

function commandsOf(body: Buffer | undefined): string[] {
  try {
    const { commands } = JSON.parse((body ?? Buffer.alloc(0)).toString('utf8')) as { commands?: unknown };
    return Array.isArray(commands) ? commands.filter((one): one is string => typeof one === 'string') : [];
  } catch {
    return [];
  }
}

/** Returns a signal that is aborted when the last of these links has ended. */
function endOf(links: readonly NodeLink[]): AbortSignal {
  const controller = new AbortController();
  let open = links.length;
  for (const link of links) {
    link.once('close', () => {
      open -= 1;
      if (open === 0) controller.abort(failureOf(link));
    });
  }
  return controller.signal;
}
