import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { BridgeError } from '../../base/errors.js';
import type { SoundInputOptions } from '../../audio/input.js';
import type { Speech, SpeechOptions } from '../../speech/speech.js';
import type { Api, ServiceContext } from '../context.js';
import { SpeechEventSchema } from '../events.js';
import { AgentParams, SpeechQuery } from '../params.js';
import { ProblemSchema } from '../problem.js';
import { SpeechResultSchema } from '../schemas.js';
import {
  answerAccepted,
  answerFinished,
  answerLive,
  answerStarted,
  NDJSON_TYPE,
  type SpeechRequest,
} from '../speech-answer.js';
import { linger, Upload } from '../upload.js';

const ANSWERS = { accepted: answerAccepted, started: answerStarted, finished: answerFinished };

const schema = {
  summary: 'Speaks a sound',
  description:
    'The body is the sound, in any format the bridge reads, and is spoken while it arrives. It is read only as it is ' +
    'needed: TCP slows the sender. Whoever waits for a speech (`wait=started` until it sounds, `wait=finished` and ' +
    '`application/x-ndjson` to its end) owns it: when that client goes away, the speech is stopped.',
  tags: ['speeches'],
  consumes: ['application/octet-stream', 'audio/*'],
  params: AgentParams,
  querystring: SpeechQuery,
  body: z.unknown().meta({ type: 'string', format: 'binary' }),
  response: {
    200: {
      description: 'It is heard (`wait=started`), has been heard (`wait=finished`), or a live answer.',
      content: {
        'application/json': { schema: SpeechResultSchema },
        [NDJSON_TYPE]: { schema: SpeechEventSchema },
      },
    },
    202: SpeechResultSchema,
    default: ProblemSchema,
  },
};

/** A sound in the body of a request, spoken while it arrives. */
export function speechRoutes(root: Api, context: ServiceContext): void {
  // A scope of its own, in which no body is ever parsed: the raw stream is the sound, whatever its type says.
  void root.register((scope, _options, done) => {
    const api = scope as Api;
    api.removeAllContentTypeParsers();
    api.addContentTypeParser('*', (_request, payload, parsed) => parsed(null, payload));
    for (const [method, operationId] of [
      ['POST', 'speak'],
      ['PUT', 'speakByPut'],
    ] as const) {
      api.route({
        method,
        url: '/api/agents/:name/speech',
        config: { streamsBody: true },
        schema: { ...schema, operationId },
        handler: async (request, reply) => {
          let leave: (() => void) | undefined;
          try {
            checkEncoding(request.headers['content-encoding']);
            leave = context.uploads.take();
            const {
              wait,
              label = uploadLabel(request),
              raw,
              live: inOwnTime,
              sent,
              ...given
            } = request.query;
            const upload = openUpload(context, request, label);
            const options = { ...given, label, ...(raw !== undefined && { raw }) };
            const agent = context.bridge.visitAgent(request.params.name);
            const asOptions = options as SpeechOptions & SoundInputOptions;
            const speech = inOwnTime ? agent.live(upload, asOptions) : agent.speak(upload, asOptions);
            void upload.received.then(leave);
            const ended = speech.finished.then(() => upload.discard());
            const live = request.headers.accept?.includes(NDJSON_TYPE) === true;
            const asked: SpeechRequest = {
              ...{ context, agent: agent.name, speech, upload, reply },
              sent: sent === true,
            };
            const answering = (live ? answerLive : ANSWERS[wait])(asked);
            track(context, speech, Promise.allSettled([answering, ended]));
            await answering;
          } catch (error) {
            leave?.();
            linger(request.raw);
            throw error;
          }
          return reply;
        },
      });
    }
    done();
  });
}

function openUpload({ bridge, limits }: ServiceContext, request: FastifyRequest, label: string): Upload {
  return new Upload(request.raw, {
    clock: bridge.clock,
    aheadBytes: limits.uploadAheadBytes,
    idleMs: limits.uploadIdleMs,
    label,
  });
}

function checkEncoding(encoding = 'identity'): void {
  if (encoding === 'identity') return;
  throw new BridgeError('REQUEST_INVALID', `A body in ${encoding} is not taken: send the sound as it is.`);
}

function track({ open }: ServiceContext, speech: Speech, work: Promise<unknown>): void {
  open.set(speech, work);
  void work.then(() => open.delete(speech));
}

function uploadLabel(request: FastifyRequest): string {
  const { remoteAddress, remotePort } = request.raw.socket;
  return `the upload of ${remoteAddress ?? 'a client'}:${remotePort ?? 0}`;
}
