import type { RequestListener } from 'node:http';

/** Requests that may wait; what comes beyond is told to come again. */
const MAX_WAITING = 256;

/**
 * Holds requests back until the API is put together: its routes stand before their hooks do, so that a request would get
 * past the gate, and never be answered.
 */
export class EarlyRequests {
  readonly #waiting: Parameters<RequestListener>[] = [];

  /** Takes requests in the place of the API. Above 256 at once it answers 503. */
  readonly hold: RequestListener = (request, response) => {
    if (this.#waiting.length < MAX_WAITING) return void this.#waiting.push([request, response]);
    response.writeHead(503, { 'retry-after': '1', 'content-type': 'text/plain; charset=utf-8' });
    response.end('The service is starting.\n');
  };

  /** Has all that wait answered. */
  letIn(answer: RequestListener): void {
    for (const [request, response] of this.#waiting.splice(0)) answer(request, response);
  }
}
