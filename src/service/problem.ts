import { STATUS_CODES } from 'node:http';
import type { FastifyReply } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { BridgeError, ERRORS, type ErrorCode, type ErrorKind } from '../base/errors.js';

/** The media type of an error (RFC 9457). */
export const PROBLEM_TYPE = 'application/problem+json';

/** The HTTP status of each sort of failure. */
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

/** Codes for which HTTP has a better status than that of their kind. */
const STATUS_OF_CODE: Readonly<Partial<Record<ErrorCode, number>>> = {
  AGENT_BUSY: 409,
  BODY_TOO_LARGE: 413,
  SOUND_TOO_LARGE: 413,
  SOURCE_TOO_LARGE: 413,
  REQUEST_TIMEOUT: 408,
  UPGRADE_REQUIRED: 426,
  TOKEN_REQUIRED: 401,
};

/** An error as every route answers it: problem details of RFC 9457, with the code and the advice of the error table. */
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

/** An error as the API answers it. */
export type Problem = z.output<typeof ProblemSchema>;

/** The status that an error is answered with. */
export function statusOf(error: BridgeError): number {
  return STATUS_OF_CODE[error.code] ?? STATUS_OF_KIND[error.kind];
}

/** An error as the API answers it. */
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

/** Answers with an error, whatever the route's own schema says. */
export function sendProblem(reply: FastifyReply, error: BridgeError): void {
  const problem = toProblem(error);
  // RFC 9110, 15.5.2.
  if (problem.status === 401) void reply.header('www-authenticate', 'Bearer');
  void reply.code(problem.status).type(PROBLEM_TYPE).serializer(JSON.stringify).send(problem);
}

/** What a route threw, or the framework before it, as an error of the table. */
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
