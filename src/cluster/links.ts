import { randomBytes } from 'node:crypto';
import { BridgeError } from '../base/errors.js';
import type { Bus } from './bus.js';
import { isReset, NodeLink, unknownLinkFrame } from './link.js';

/** Maximum number of links that other nodes may have open here. */
const MAX_ACCEPTED = 1024;
/** First byte of the message that opens a link; the other types are those of a link's frames. */
const OPEN = 0;
/** Connection part of the subject of a ping. It needs no answer: a receiver is proof enough. */
const PING = 'ping';

/** A process of a node. */
export interface PeerProcess {
  readonly node: string;
  /** Random word that distinguishes this process from others of the same node. */
  readonly instance: string;
}

/** Options of the links of a node. */
export interface LinksOptions {
  readonly bus: Bus;
  readonly self: PeerProcess;
  /** Called with a link that another node has opened. */
  onLink(link: NodeLink): void;
  /** Called when NATS reports that this process receives nothing any more. */
  onGone(peer: PeerProcess): void;
}

interface OpenLink {
  readonly link: NodeLink;
  readonly peer: PeerProcess;
  /** Subject of its frames. */
  readonly subject: string;
}

/**
 * All links of this node. Each process receives on `link.NODE.INSTANCE.*`, where the last token names the link. Every
 * frame has the sender's own subject as its reply subject, so that NATS answers at once when nobody receives it.
 */
export class Links {
  readonly #options: LinksOptions;
  readonly #open = new Map<string, OpenLink>();
  #accepted = 0;

  constructor(options: LinksOptions) {
    this.#options = options;
    const { bus, self } = options;
    bus.subscribe(`link.${self.node}.${self.instance}.*`, ({ subject, data, reply, noResponders }) => {
      const id = subject.slice(subject.lastIndexOf('.') + 1);
      if (noResponders) return this.#nobody(id);
      if (!id.startsWith(PING)) this.#receive(id, data, reply);
    });
    bus.events.on('denied', ({ subject }) => this.#denied(subject));
  }

  /** Number of links. */
  get size(): number {
    return this.#open.size;
  }

  /** Processes with open links. */
  peers(): readonly PeerProcess[] {
    return [...new Map([...this.#open.values()].map(({ peer }) => [peer.instance, peer])).values()];
  }

  /** Opens a link to a process of another node. It is writable at once. */
  open(peer: PeerProcess): NodeLink {
    const { bus, self } = this.#options;
    const id = randomBytes(9).toString('base64url');
    const subject = `link.${peer.node}.${peer.instance}.${id}`;
    const payload = Buffer.from(JSON.stringify({ node: self.node, instance: self.instance }));
    bus.publish(subject, Buffer.concat([Buffer.of(OPEN), payload]), this.#own(id));
    return this.#add(id, peer, subject);
  }

  /** Checks through NATS whether a process still receives messages; `onGone` is called when it does not. */
  ping({ node, instance }: PeerProcess): void {
    const { bus } = this.#options;
    bus.publish(
      `link.${node}.${instance}.${PING}`,
      Buffer.alloc(0),
      this.#own(`${PING}-${node}-${instance}`),
    );
  }

  /** Ends every link to the matching processes, by default all. */
  fail(error: BridgeError, concerns: (peer: PeerProcess) => boolean = () => true): void {
    for (const { link, peer } of [...this.#open.values()]) if (concerns(peer)) link.fail(error);
  }

  #add(id: string, peer: PeerProcess, subject: string): NodeLink {
    const { bus } = this.#options;
    const own = this.#own(id);
    const link = new NodeLink({ peer: peer.node, send: (frame) => bus.publish(subject, frame, own) });
    this.#open.set(id, { link, peer, subject });
    link.once('close', () => this.#open.delete(id));
    return link;
  }

  #receive(id: string, data: Uint8Array, reply: string | undefined): void {
    const known = this.#open.get(id);
    if (data[0] === OPEN) return known ? known.link.receive(data) : this.#accept(id, data, reply);
    if (known) return known.link.receive(data);
    if (reply !== undefined && !isReset(data)) this.#options.bus.publish(reply, unknownLinkFrame());
  }

  #accept(id: string, data: Uint8Array, reply: string | undefined): void {
    const peer = readPeer(data.subarray(1));
    if (!peer || reply !== `link.${peer.node}.${peer.instance}.${id}`) return;
    const link = this.#add(id, peer, reply);
    if (this.#accepted >= MAX_ACCEPTED) {
      link.destroy(
        new BridgeError('STREAM_LIMIT', `${MAX_ACCEPTED} links are open already, which is the limit.`),
      );
      return;
    }
    this.#accepted += 1;
    link.once('close', () => (this.#accepted -= 1));
    this.#options.onLink(link);
  }

  #nobody(id: string): void {
    if (id.startsWith(PING)) {
      const [, node, instance] = /^ping-(.+)-([^-]+)$/.exec(id) ?? [];
      if (node !== undefined && instance !== undefined) this.#options.onGone({ node, instance });
      return;
    }
    const known = this.#open.get(id);
    if (!known) return;
    known.link.fail(new BridgeError('NODE_UNREACHABLE', `Node ${known.peer.node} is not there any more.`));
    this.#options.onGone(known.peer);
  }

  #denied(subject: string): void {
    for (const { link, peer, subject: to } of [...this.#open.values()]) {
      if (to !== subject) continue;
      const message = `The NATS server does not allow this node to send to node ${peer.node}.`;
      link.fail(new BridgeError('NODE_UNREACHABLE', message));
    }
  }

  #own(id: string): string {
    const { node, instance } = this.#options.self;
    return `link.${node}.${instance}.${id}`;
  }
}

function readPeer(payload: Uint8Array): PeerProcess | undefined {
  try {
    const told = JSON.parse(Buffer.from(payload).toString('utf8')) as Partial<
      Record<keyof PeerProcess, unknown>
    >;
    const { node, instance } = told;
    if (typeof node === 'string' && typeof instance === 'string') return { node, instance };
  } catch {
    // Not a link of ours: ignored.
  }
  return undefined;
}
