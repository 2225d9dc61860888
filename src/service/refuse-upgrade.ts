import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { BridgeError } from '../base/errors.js';
import { PROBLEM_TYPE, toProblem } from './problem.js';

/** Answers an upgrade with a problem, like any other request. */
export function refuseWithProblem(socket: Duplex, error: BridgeError): void {
  const problem = toProblem(error);
  const body = JSON.stringify(problem);
  socket.end(
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? ''}\r\nConnection: close\r\n` +
      `Content-Type: ${PROBLEM_TYPE}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
