import { Duplex } from 'node:stream';
import { BridgeError, ERRORS, type ErrorCode } from '../base/errors.js';

/** Maximum bytes in transit to a reader or waiting for it, in each direction of a link. */
export const WINDOW_BYTES = 256 * 1024;
/** Maximum payload of one frame, in bytes; far below the 1 MiB that a NATS server takes by default. */
export const MAX_CHUNK_BYTES = 32 * 1024;
/** Frame head: type (1 byte) and sequence number (4 bytes, big-endian). */
const HEAD_BYTES = 5;
/** Minimum size of a credit grant, so that a reader does not answer each chunk. */
const GRANT_STEP_BYTES = WINDOW_BYTES / 4;

const FRAME = { data: 1, credit: 2, end: 3, reset: 4 } as const;

/** Options of one end of a link. */
export interface LinkOptions {
  /** Name of the node at the other end. */
  readonly peer: string;
  /** Remote address as a socket has it; by default the name of the peer, which is no address of a machine. */
  readonly remoteAddress?: string | undefined;
  /** Sends a frame to the other end. */
  send(frame: Uint8Array): void;
}

/**
 * One end of a two-way byte stream between two nodes, as TCP would be: HTTP requests and WebSockets run over it.
 * Every frame has a sequence number; the reader grants the writer credit, in bytes, as it reads. A lost, repeated or
 * reordered frame destroys the link with NODE_LINK_BROKEN at both ends.
 */
export class NodeLink extends Duplex {
  readonly peer: string;
  readonly remoteAddress: string;
  readonly #send: (frame: Uint8Array) => void;
  #nextSent = 0;
  #nextReceived = 0;
  /** Credit received from the other end, in bytes. */
  #creditBytes = WINDOW_BYTES;
  /** Credit granted to the other end and not used yet, in bytes. */
  #grantedBytes = WINDOW_BYTES;
  #blocked: { chunk: Buffer; done: (error?: Error | null) => void } | undefined;
  #resetByPeer = false;

  constructor({ peer, send, remoteAddress = `node ${peer}` }: LinkOptions) {
    super({ allowHalfOpen: true, readableHighWaterMark: 64 * 1024, writableHighWaterMark: 64 * 1024 });
    this.peer = peer;
    this.remoteAddress = remoteAddress;
    this.#send = send;
    // Users of the link see its end by `close`; an error without a listener must not end the process.
    this.on('error', () => undefined);
  }

  /** Takes a frame that came from the other end. */
  receive(frame: Uint8Array): void {
    if (this.destroyed) return;
    const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
    if (bytes.length < HEAD_BYTES) return this.#break('sent a frame that is too short');
    const payload = bytes.subarray(HEAD_BYTES);
    if (bytes[0] === FRAME.reset) {
      this.#resetByPeer = true;
      this.destroy(readReset(payload, this.peer));
      return;
    }
    const sequence = bytes.readUInt32BE(1);
    if (sequence !== this.#nextReceived) {
      const what = sequence < this.#nextReceived ? 'came again or out of order' : 'did not come';
      return this.#break(
        `chunk ${Math.min(sequence, this.#nextReceived)} ${what} (expected ${this.#nextReceived}, got ${sequence})`,
      );
    }
    this.#nextReceived += 1;
    switch (bytes[0]) {
      case FRAME.data:
        if (payload.length > this.#grantedBytes) return this.#break('sent more than it was granted');
        this.#grantedBytes -= payload.length;
        if (payload.length > 0) this.push(payload);
        return this.#grant();
      case FRAME.credit:
        if (payload.length !== 4) return this.#break('sent a frame that is malformed');
        this.#creditBytes += payload.readUInt32BE(0);
        return this.#unblock();
      case FRAME.end:
        this.push(null);
        return;
      default:
        return this.#break('sent a frame of an unknown type');
    }
  }

  /** Ends the link because the other end is gone; nothing more is sent. */
  fail(error: BridgeError): void {
    this.#resetByPeer = true;
    this.destroy(error);
  }

  override _read(): void {
    this.#grant();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#blocked = { chunk, done };
    this.#unblock();
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#frame(FRAME.end);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const whole = this.readableEnded && this.writableFinished;
    if (!whole && !this.#resetByPeer) this.#frame(FRAME.reset, resetPayload(error));
    const blocked = this.#blocked;
    this.#blocked = undefined;
    blocked?.done(error ?? new BridgeError('CLOSED', `The link to node ${this.peer} was closed.`));
    done(error);
  }

  /** Sends waiting data as far as there is credit. */
  #unblock(): void {
    while (this.#blocked && this.#creditBytes > 0) {
      const { chunk, done } = this.#blocked;
      const length = Math.min(chunk.length, this.#creditBytes, MAX_CHUNK_BYTES);
      this.#creditBytes -= length;
      this.#frame(FRAME.data, chunk.subarray(0, length));
      if (length === chunk.length) {
        this.#blocked = undefined;
        done();
      } else {
        this.#blocked.chunk = chunk.subarray(length);
      }
    }
  }

  /** Grants credit for data that was read, so that no more than the window is in transit or waiting. */
  #grant(): void {
    if (this.destroyed || this.readableEnded) return;
    const bytes = WINDOW_BYTES - this.#grantedBytes - this.readableLength;
    if (bytes < GRANT_STEP_BYTES) return;
    this.#grantedBytes += bytes;
    const payload = Buffer.allocUnsafe(4);
    payload.writeUInt32BE(bytes);
    this.#frame(FRAME.credit, payload);
  }

  #frame(type: number, payload: Uint8Array = Buffer.alloc(0)): void {
    const frame = Buffer.allocUnsafe(HEAD_BYTES + payload.length);
    frame[0] = type;
    frame.writeUInt32BE(this.#nextSent, 1);
    frame.set(payload, HEAD_BYTES);
    this.#nextSent += 1;
    this.#send(frame);
  }

  #break(what: string): void {
    this.destroy(new BridgeError('NODE_LINK_BROKEN', `The link to node ${this.peer} broke: ${what}.`));
  }
}

/** Returns a frame that ends a link unknown to this node. */
export function unknownLinkFrame(): Uint8Array {
  const payload = resetPayload(
    new BridgeError('NODE_LINK_BROKEN', 'The other node does not know this link.'),
  );
  return Buffer.concat([Buffer.of(FRAME.reset, 0, 0, 0, 0), payload]);
}

/** True for a frame that ends a link. */
export function isReset(frame: Uint8Array): boolean {
  return frame[0] === FRAME.reset;
}

/**
 * Two ends of a link within this process.
 * @param node name of this node
 * @param remoteAddress address of the client that caused it
 */
export function linkPair(node: string, remoteAddress?: string): [NodeLink, NodeLink] {
  // Asynchronous like a network: an end must not be called back while it sends.
  const first: NodeLink = new NodeLink({
    peer: node,
    send: (frame) => queueMicrotask(() => second.receive(frame)),
  });
  const second: NodeLink = new NodeLink({
    peer: node,
    remoteAddress,
    send: (frame) => queueMicrotask(() => first.receive(frame)),
  });
  return [first, second];
}

function resetPayload(error: Error | null): Buffer {
  const { code, message } =
    error instanceof BridgeError ? error : { code: 'CLOSED', message: error?.message ?? '' };
  return Buffer.from(JSON.stringify({ code, message: message.slice(0, 500) }));
}

function readReset(payload: Buffer, peer: string): BridgeError {
  let told: { code?: unknown; message?: unknown } = {};
  try {
    told = JSON.parse(payload.toString('utf8')) as typeof told;
  } catch {
    // Without its reason the frame still ends the link.
  }
  const code = typeof told.code === 'string' && told.code in ERRORS ? (told.code as ErrorCode) : 'CLOSED';
  const message = typeof told.message === 'string' && told.message !== '' ? told.message.slice(0, 500) : '';
  return new BridgeError(code, message || `Node ${peer} closed the link.`);
}
