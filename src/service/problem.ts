import { STATUS_CODES } from 'node:http';
import type { FastifyReply } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { BridgeError, ERRORS, type ErrorCode, type ErrorKind } from '../base/errors.js';

/** Media type of an error (RFC 9457). */
export const PROBLEM_TYPE = 'application/problem+json';

/** HTTP status of each kind of error. */
const STATUS_OF_KIND: Readonly<Record<ErrorKind, number>> = {
  usage: 400,
  input: 422,
  'not-found': 404,
  denied: 403,
  limit: 429,
  unavailable: 503,
  timeout: 504,
  stopped: 409,
  internal: 500,
};

/** HTTP status of codes for which that of their kind is not the best. */
const STATUS_OF_CODE: Readonly<Partial<Record<ErrorCode, number>>> = {
  AGENT_BUSY: 409,
  BODY_TOO_LARGE: 413,
  SOUND_TOO_LARGE: 413,
  SOURCE_TOO_LARGE: 413,
  REQUEST_TIMEOUT: 408,
  UPGRADE_REQUIRED: 426,
  TOKEN_REQUIRED: 401,
};

/** Error answer of every route: problem details of RFC 9457, with the code and the advice of the error table. */
export const ProblemSchema = z
  .object({
    type: z.string().describe('A URI for the code.'),
    title: z.string().describe('The status in words.'),
    status: z.int(),
    detail: z.string().describe('What happened, and to which file, agent or option: a whole sentence.'),
    code: z
      .enum(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]])
      .describe('Stable; match on this, never on the text.'),
    advice: z.string().describe('What a person can do about it.'),
    retryable: z.boolean().describe('True when the same request can succeed later without any change.'),
  })
  .meta({ id: 'Problem' });

/** Error answer of the API. */
export type Problem = z.output<typeof ProblemSchema>;

/** Returns the HTTP status of an error. */
export function statusOf(error: BridgeError): number {
  return STATUS_OF_CODE[error.code] ?? STATUS_OF_KIND[error.kind];
}

/** Returns an error in the form of the API. */
export function toProblem(error: BridgeError): Problem {
  const status = statusOf(error);
  return {
    type: `urn:mmdagent-audio-bridge:error:${error.code.toLowerCase().replaceAll('_', '-')}`,
    title: STATUS_CODES[status] ?? String(status),
    status,
    detail: error.message,
    code: error.code,
    advice: error.advice,
    retryable: error.retryable,
  };
}

/** Answers with an error, whatever the route's own schema. */
export function sendProblem(reply: FastifyReply, error: BridgeError): void {
  const problem = toProblem(error);
  // RFC 9110, 15.5.2.
  if (problem.status === 401) void reply.header('www-authenticate', 'Bearer');
  void reply.code(problem.status).type(PROBLEM_TYPE).serializer(JSON.stringify).send(problem);
}

/** Returns the BridgeError for anything thrown by a route or by the framework before it. */
export function fromThrown(error: unknown): BridgeError {
  if (error instanceof BridgeError) return error;
  if (hasZodFastifySchemaValidationErrors(error)) {
    const where = error.validationContext ?? 'request';
    const faults = error.validation.map(({ instancePath, message }) => {
      const path = instancePath.split('/').filter(Boolean).join('.');
      return `${[where, path].filter(Boolean).join(' ')}: ${message ?? 'it is invalid'}`;
    });
    return new BridgeError('REQUEST_INVALID', `The request was refused: ${faults.join('; ')}.`);
  }
  const { statusCode, code, message } = error as { statusCode?: number; code?: string; message?: string };
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return new BridgeError('BODY_TOO_LARGE', 'The body of the request is larger than this route takes.');
  }
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    const reason = (message ?? 'it is malformed').replace(/\.$/, '');
    return new BridgeError('REQUEST_INVALID', `The request was refused: ${reason}.`, { cause: error });
  }
  return new BridgeError('INTERNAL', 'The request failed inside the bridge; its log says more.', {
    cause: error,
  });
}
