import { z } from 'zod';
import { BridgeError } from '../../base/errors.js';
import type { SayOptions } from '../../bridge-agent.js';
import { isLoopback } from '../guards.js';
import type { Api, ServiceContext } from '../context.js';
import { SpeechEventSchema } from '../events.js';
import { AgentParams, SayQuery } from '../params.js';
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

/** Options that name a program, a file or a secret of the service's machine: from the API only with --allow-dangerous. */
const DANGEROUS_OPTIONS = ['program', 'command', 'wasmFile', 'keyEnv'];

/** Text in the body of a request, spoken while it is being written. */
export function sayRoutes(root: Api, context: ServiceContext): void {
  void root.register((scope, _options, done) => {
    const api = scope as Api;
    api.removeAllContentTypeParsers();
    api.addContentTypeParser('*', (_request, payload, parsed) => parsed(null, payload));
    api.route({
      method: 'POST',
      url: '/api/agents/:name/say',
      config: { streamsBody: true },
      schema: {
        operationId: 'say',
        summary: 'Speaks a text',
        description:
          'The body is the text, UTF-8, and may still be written while it is spoken: the first sentence sounds while the ' +
          'next ones are to come. Answers as the route that speaks a sound does.',
        tags: ['speeches'],
        consumes: ['text/plain'],
        params: AgentParams,
        querystring: SayQuery,
        body: z.unknown().meta({ type: 'string' }),
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
      },
      handler: async (request, reply) => {
        let leave: (() => void) | undefined;
        try {
          leave = context.uploads.take();
          const { wait, label = 'the text', sent, engineOptions, ...given } = request.query;
          checkEngine(context, given.engine, engineOptions, request.ip);
          const upload = new Upload(request.raw, {
            clock: context.bridge.clock,
            aheadBytes: context.limits.uploadAheadBytes,
            idleMs: context.limits.uploadIdleMs,
            label,
          });
          const agent = context.bridge.visitAgent(request.params.name);
          const options = { ...given, label, ...(engineOptions && { engineOptions }) };
          const speech = agent.say(decoded(upload), options as SayOptions);
          void upload.received.then(leave);
          const ended = speech.finished.then(() => upload.discard());
          const live = request.headers.accept?.includes(NDJSON_TYPE) === true;
          const asked: SpeechRequest = {
            ...{ context, agent: agent.name, speech, upload, reply },
            sent: sent === true,
          };
          const answering = (live ? answerLive : ANSWERS[wait])(asked);
          const work = Promise.allSettled([answering, ended]);
          context.open.set(speech, work);
          void work.then(() => context.open.delete(speech));
          await answering;
        } catch (error) {
          leave?.();
          linger(request.raw);
          throw error;
        }
        return reply;
      },
    });
    done();
  });

  root.route({
    method: 'GET',
    url: '/api/voices',
    schema: {
      operationId: 'listVoices',
      summary: 'The voices of an engine',
      tags: ['speeches'],
      querystring: SayQuery.pick({ engine: true, engineOptions: true }),
      response: {
        200: z.object({
          engine: z.string(),
          voices: z.array(z.object({ id: z.string(), name: z.string(), language: z.string().optional() })),
        }),
        default: ProblemSchema,
      },
    },
    handler: async (request) => {
      const { engine = context.bridge.options.engine, engineOptions } = request.query;
      checkEngine(context, request.query.engine, engineOptions, request.ip);
      const voices = await context.bridge.engines
        .engine(engine, engineOptions)
        .voices(AbortSignal.timeout(10_000));
      return { engine, voices };
    },
  });
}

/** Text out of bytes that come in any pieces. */
async function* decoded(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder();
  for await (const chunk of bytes) yield decoder.decode(chunk, { stream: true });
  yield decoder.decode();
}

/** What a caller of the API may not choose: a program to run, or, from another machine, an address to ask. */
function checkEngine(
  { bridge }: ServiceContext,
  engine: string | undefined,
  options: object | undefined,
  caller: string,
): void {
  // Piper's model is a file, and makes it run the program.
  const names = engine === 'piper' ? [...DANGEROUS_OPTIONS, 'model'] : DANGEROUS_OPTIONS;
  const dangerous = names.find((name) => options !== undefined && name in options);
  if (dangerous !== undefined && !bridge.options.allowDangerous) {
    throw new BridgeError(
      'COMMAND_DANGEROUS',
      `The option ${dangerous} of the engine ${engine ?? bridge.options.engine} names a program, a file or a secret of the service’s machine.`,
    );
  }
  if (options !== undefined && !isLoopback(caller)) {
    throw new BridgeError(
      'REQUEST_INVALID',
      'An engine’s options can be given from the service’s own machine only.',
    );
  }
}
