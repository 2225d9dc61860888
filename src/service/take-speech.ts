import type { FastifyReply, FastifyRequest } from 'fastify';
import { Lookahead } from '../audio/decode/lookahead.js';
import { parseRawFormat } from '../audio/decode/raw.js';
import { checkSound } from '../audio/probe.js';
import { delay } from '../base/clock.js';
import { BridgeError } from '../base/errors.js';
import type { Api, ServiceContext } from './context.js';
import { SpeechEventSchema } from './events.js';
import { TargetParams } from './params.js';
import { linkLoss, nodeCallerOf } from './nodes.js';
import { ProblemSchema } from './problem.js';
import { SpeechAnswerSchema } from './schemas.js';
import {
  answerAccepted,
  answerFinished,
  answerLive,
  answerStarted,
  NDJSON_TYPE,
  type AnswerRequest,
} from './speech-answer.js';
import type { Spoken } from './target.js';
import { linger, stayForAnswer, Upload } from './upload.js';

const ANSWERS = { accepted: answerAccepted, started: answerStarted, finished: answerFinished };

/** Maximum wait for the first bytes of an upload before its request is answered, in ms. */
const MAX_HEAD_WAIT_MS = 250;

/** Maximum size of a JSON body that names the sound or text, in bytes. */
const MAX_JSON_BYTES = 256 * 1024;

/** Schema parts that all speaking routes share. */
export const SPOKEN_SCHEMA = {
  tags: ['speeches'],
  params: TargetParams,
  response: {
    200: {
      description: 'It is heard (`wait=started`), has been heard (`wait=finished`), or a live answer.',
      content: {
        'application/json': { schema: SpeechAnswerSchema },
        [NDJSON_TYPE]: { schema: SpeechEventSchema },
      },
    },
    202: SpeechAnswerSchema,
    default: ProblemSchema,
  },
};

/** Options of a request about its answer and the label. */
export interface AskedAnswer {
  readonly wait?: 'accepted' | 'started' | 'finished' | undefined;
  readonly label: string;
  /** True when a live answer includes the samples. */
  readonly sent?: boolean | undefined;
  /** Set when the body is a sound: an invalid one is refused at once and not in its turn. */
  readonly sound?: { readonly format?: string | undefined } | undefined;
}

/**
 * Makes a scope in which the raw stream is the sound or the text, whatever its type.
 * @param options.json parses JSON anyway
 */
export function streamedBodies(root: Api, options: { json: boolean }, add: (api: Api) => void): void {
  void root.register((scope, _options, done) => {
    const api = scope as Api;
    api.removeAllContentTypeParsers();
    api.addContentTypeParser('*', (_request, payload, parsed) => parsed(null, payload));
    if (options.json) {
      const parse = api.getDefaultJsonParser('error', 'error');
      const limits = { parseAs: 'buffer', bodyLimit: MAX_JSON_BYTES } as const;
      api.addContentTypeParser('application/json', limits, (request, body: Buffer, parsed) => {
        try {
          // RFC 8259 §8.1: JSON is UTF-8. Other bytes would be spoken as wrong characters.
          void parse(request, new TextDecoder('utf-8', { fatal: true }).decode(body), parsed);
        } catch {
          parsed(new BridgeError('TEXT_ENCODING', 'The JSON of the request is not UTF-8.'));
        }
      });
    }
    add(api);
    done();
  });
}

/**
 * Speaks the body of a request, and answers as requested.
 * @param begin makes the speeches of the body, which is undefined when the request's JSON names the sound or text
 * @throws any refusal; data still being sent is read for a moment, so that the client reads the answer
 */
export async function takeSpeech(
  context: ServiceContext,
  request: FastifyRequest,
  reply: FastifyReply,
  { wait = 'accepted', label, sent, sound }: AskedAnswer,
  begin: (body: AsyncIterable<Uint8Array> | undefined) => Spoken,
): Promise<void> {
  let leave: (() => void) | undefined;
  let leaveFar: (() => void) | undefined;
  stayForAnswer(request.raw, reply.raw);
  try {
    checkEncoding(request.headers['content-encoding']);
    leave = context.uploads.take();
    const live = request.headers.accept?.includes(NDJSON_TYPE) === true;
    // A live answer is written all the time, so that it notices a lost client by itself.
    if (wait !== 'accepted' && !live) leaveFar = context.farUploads.tryTake();
    const upload = isJson(request) ? undefined : openUpload(context, request, label, leaveFar !== undefined);
    const checked = upload && sound && checkedSound(upload, label, sound.format);
    // A sound that is still being made is not waited for; errors are reported in its turn.
    if (checked) await Promise.race([checked.checking, delay(context.bridge.clock, MAX_HEAD_WAIT_MS)]);
    const spoken = begin(checked?.body ?? upload);
    if (leaveFar) void spoken.finished.then(leaveFar);
    if (nodeCallerOf(request.raw)?.whenLost === 'stop') stopWhenNodeIsLost(request, spoken);
    const received = upload?.received ?? Promise.resolve();
    void received.then(leave);
    const ended = spoken.finished.then(() => upload?.discard());
    const asked: AnswerRequest = {
      context,
      spoken,
      received,
      reply,
      sent: sent === true,
    };
    const answering = (live ? answerLive : ANSWERS[wait])(asked);
    const work = Promise.allSettled([answering, ended]);
    for (const { speech } of spoken.members) {
      context.open.set(speech, work);
      void work.then(() => context.open.delete(speech));
    }
    await answering;
  } catch (error) {
    leave?.();
    leaveFar?.();
    linger(request.raw);
    throw error;
  }
}

/**
 * Checks the first bytes of an upload when they arrive, before its turn in the queue.
 * @returns the same bytes, and a promise that rejects when they are not a sound
 */
function checkedSound(
  upload: Upload,
  label: string,
  format: string | undefined,
): { body: AsyncIterable<Uint8Array>; checking: Promise<void> } {
  const input = new Lookahead(upload);
  const options = { raw: format === undefined ? undefined : parseRawFormat(format) };
  const checking = checkSound(input, label, options);
  checking.catch(() => undefined);
  const body = (async function* () {
    // Not both at once; the decoder finds the same error again.
    await checking.catch(() => undefined);
    yield* input;
  })();
  return { body, checking };
}

/** Stops the speeches of another node's caller when the connection to that node breaks. */
function stopWhenNodeIsLost({ raw: { socket } }: FastifyRequest, spoken: Spoken): void {
  const onClose = (): void => {
    if (linkLoss(socket)) for (const { speech } of spoken.members) void speech.stop();
  };
  socket.once('close', onClose);
  void spoken.finished.then(() => socket.off('close', onClose));
}

/** True when the body was parsed as JSON. */
export function isJson(request: FastifyRequest): boolean {
  return request.body !== undefined && request.body !== null && request.body !== request.raw;
}

/** Returns a label for an upload from its origin. */
export function uploadLabel(request: FastifyRequest): string {
  const { remoteAddress, remotePort } = request.raw.socket;
  return `the upload of ${remoteAddress ?? 'a client'}:${remotePort ?? 0}`;
}

function openUpload(
  { bridge, limits }: ServiceContext,
  request: FastifyRequest,
  label: string,
  far: boolean,
): Upload {
  return new Upload(request.raw, {
    clock: bridge.clock,
    aheadBytes: far ? Math.max(limits.uploadAheadBytes, limits.uploadFarAheadBytes) : limits.uploadAheadBytes,
    idleMs: limits.uploadIdleMs,
    label,
  });
}

function checkEncoding(encoding = 'identity'): void {
  if (encoding === 'identity') return;
  throw new BridgeError('REQUEST_INVALID', `A body in ${encoding} is not taken: send it as it is.`);
}
