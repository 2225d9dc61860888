/** Error answer of the service, with its stable code. */
export class Problem extends Error {
  /**
   * @param {number} status 0 when there was no answer
   * @param {string} code
   * @param {string} detail a complete sentence
   * @param {string} advice
   */
  constructor(status, code, detail, advice = '') {
    super(detail);
    this.status = status;
    this.code = code;
    this.advice = advice;
  }
}

/**
 * Returns the API path of an agent, or of a resource below it.
 * @param {string} agent
 * @param {string} [what] `/speeches?label=…`
 */
export function agentPath(agent, what = '') {
  return `/api/agents/${encodeURIComponent(agent)}${what}`;
}

/**
 * Sends a request to the service.
 * @param {string} method
 * @param {string} path
 * @param {{ json?: unknown, body?: BodyInit, type?: string, signal?: AbortSignal }} [options]
 * @returns {Promise<any>} the answer's JSON; undefined when it has none
 * @throws {Problem} the service's error, or NO_ANSWER
 */
export async function ask(method, path, { json, body, type, signal } = {}) {
  /** @type {RequestInit} */
  const init = { method, cache: 'no-store' };
  if (signal) init.signal = signal;
  if (json !== undefined) {
    init.body = JSON.stringify(json);
    init.headers = { 'content-type': 'application/json' };
  } else if (body !== undefined) {
    init.body = body;
    init.headers = { 'content-type': type || 'application/octet-stream' };
  }
  let response;
  try {
    response = await fetch(path, init);
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem(0, 'NO_ANSWER', error instanceof Error ? error.message : String(error));
  }
  if (!response.ok) throw await problemOf(response);
  return response.status === 204 ? undefined : response.json();
}

/**
 * Reads the problem of an error answer.
 * @param {Response} response
 */
export async function problemOf(response) {
  try {
    const { code, detail, advice } = await response.json();
    return new Problem(response.status, String(code), String(detail), String(advice ?? ''));
  } catch {
    return new Problem(response.status, 'UNKNOWN', `${response.status} ${response.statusText}`);
  }
}
