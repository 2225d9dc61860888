import type { RequestListener } from 'node:http';

/** Maximum number of waiting requests; further ones are answered 503. */
const MAX_WAITING = 256;

/**
 * Holds requests back until the API is complete: its routes exist before their hooks, so that an early request would
 * bypass the access checks and never be answered.
 */
export class EarlyRequests {
  readonly #waiting: Parameters<RequestListener>[] = [];

  /** Handles requests in place of the API. Above 256 at once it answers 503. */
  readonly hold: RequestListener = (request, response) => {
    if (this.#waiting.length < MAX_WAITING) return void this.#waiting.push([request, response]);
    response.writeHead(503, { 'retry-after': '1', 'content-type': 'text/plain; charset=utf-8' });
    response.end('The service is starting.\n');
  };

  /** Passes all waiting requests to the API. */
  letIn(answer: RequestListener): void {
    for (const [request, response] of this.#waiting.splice(0)) answer(request, response);
  }
}
