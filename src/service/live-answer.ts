import type { ServerResponse } from 'node:http';

/**
 * Writes lines to a response that stays open, with a limit on the data waiting for a slow reader.
 */
export class LiveAnswer {
  readonly #response: ServerResponse;
  #maxBytes: number;

  /** @param maxBytes maximum waiting data, in bytes */
  constructor(response: ServerResponse, maxBytes: number) {
    this.#response = response;
    this.#maxBytes = maxBytes;
  }

  /** Begins the answer. `headers` are those set by hooks. */
  open(contentType: string, headers: Readonly<Record<string, string | number | string[] | undefined>>): void {
    const given = Object.entries(headers).filter(([, value]) => value !== undefined);
    this.#response.writeHead(200, {
      ...(Object.fromEntries(given) as Record<string, string>),
      'content-type': contentType,
      'cache-control': 'no-store',
      // Buffering proxies would defeat a live stream.
      'x-accel-buffering': 'no',
    });
    this.#response.flushHeaders();
  }

  /** True while the reader is slow: optional events should be left out. */
  get behind(): boolean {
    return this.#response.writableLength > this.#maxBytes / 4;
  }

  /** Writes the initial text of any size; the limit applies to what follows it. */
  catchUp(text: string): void {
    this.#maxBytes += Buffer.byteLength(text);
    if (!this.#response.destroyed) this.#response.write(text);
  }

  /** @returns false when the reader is too slow: the limit is reached, and nothing was written */
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

  /** Cuts the reader off at once. */
  drop(): void {
    this.#response.destroy();
  }
}
