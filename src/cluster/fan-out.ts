import type { ClientRequest } from 'node:http';
import { Writable } from 'node:stream';
import { BridgeError } from '../base/errors.js';
import type { NodeLink } from './link.js';

/** Maximum time a node may take no data while the others wait for it, in ms; then it is skipped. */
const LAG_MS = 3000;

/**
 * Writes one body to the requests of several nodes, at the pace of the slowest. A node that takes nothing for three
 * seconds while the others wait is skipped, and its part fails.
 */
export class FanOut extends Writable {
  readonly #parts: readonly { readonly request: ClientRequest; readonly link: NodeLink }[];

  constructor(requests: readonly ClientRequest[], links: readonly NodeLink[]) {
    super();
    this.#parts = requests.map((request, index) => ({ request, link: links[index]! }));
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    const waits = this.#parts
      .filter(({ link }) => !link.destroyed)
      .filter(({ request }) => !request.write(chunk))
      .map((part) => drained(part));
    // With no node left the rest of the body is discarded: the answer gives the reason.
    void Promise.all(waits).then(() => done());
  }

  override _final(done: (error?: Error | null) => void): void {
    for (const { request, link } of this.#parts) if (!link.destroyed) request.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    for (const { link } of this.#parts) {
      if (error)
        link.destroy(error instanceof BridgeError ? error : new BridgeError('CLOSED', error.message));
    }
    done(error);
  }
}

function drained({ request, link }: { request: ClientRequest; link: NodeLink }): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      clearTimeout(timer);
      request.off('drain', settle);
      link.off('close', settle);
      resolve();
    };
    const timer = setTimeout(() => {
      const message = `Node ${link.peer} fell behind the others of the group and was left behind.`;
      link.destroy(new BridgeError('NODE_UNREACHABLE', message));
    }, LAG_MS);
    request.once('drain', settle);
    link.once('close', settle);
  });
}
