import type { ServerResponse } from 'node:http';

/**
 * Writes lines to a response that stays open, with a bound on what waits for a reader who does not read.
 */
export class LiveAnswer {
  readonly #response: ServerResponse;
  #maxBytes: number;

  /** @param maxBytes what may wait, in bytes */
  constructor(response: ServerResponse, maxBytes: number) {
    this.#response = response;
    this.#maxBytes = maxBytes;
  }

  /** Begins the answer. `headers` are those that hooks have set. */
  open(contentType: string, headers: Readonly<Record<string, string | number | string[] | undefined>>): void {
    const given = Object.entries(headers).filter(([, value]) => value !== undefined);
    this.#response.writeHead(200, {
      ...(Object.fromEntries(given) as Record<string, string>),
      'content-type': contentType,
      'cache-control': 'no-store',
      // Proxies that hold answers back would make a live stream of none.
      'x-accel-buffering': 'no',
    });
    this.#response.flushHeaders();
  }

  /** True while the reader is behind: what can be left out should be. */
  get behind(): boolean {
    return this.#response.writableLength > this.#maxBytes / 4;
  }

  /** Writes what is owed, whatever its size: the bound is for what comes on top of it. */
  catchUp(text: string): void {
    this.#maxBytes += Buffer.byteLength(text);
    if (!this.#response.destroyed) this.#response.write(text);
  }

  /** @returns false when the reader does not read: the bound is reached, and nothing was written */
  write(text: string): boolean {
    if (this.#response.destroyed || this.#response.writableEnded) return true;
    if (this.#response.writableLength > this.#maxBytes) return false;
    this.#response.write(text);
    return true;
  }

  /** Ends the answer. */
  end(): void {
    this.#response.end();
  }

  /** Cuts the reader off. */
  drop(): void {
    this.#response.destroy();
  }
}
