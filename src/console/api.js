/** What the service refused, with its stable code. */
export class Problem extends Error {
  /**
   * @param {number} status 0 when there was no answer
   * @param {string} code
   * @param {string} detail a whole sentence
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
 * The API's address of an agent, or of something of its.
 * @param {string} agent
 * @param {string} [what] `/speeches?label=…`
 */
export function agentPath(agent, what = '') {
  return `/api/agents/${encodeURIComponent(agent)}${what}`;
}

/**
 * Asks the service.
 * @param {string} method
 * @param {string} path
 * @param {{ json?: unknown, body?: BodyInit, type?: string, signal?: AbortSignal }} [options]
 * @returns {Promise<any>} the answer's JSON; nothing where it has none
 * @throws {Problem} what it refused, or that it did not answer
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
 * What an answer refused.
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
