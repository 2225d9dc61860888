import { z } from 'zod';
import { charsetOf, decodeText, encodingName } from '../../base/text-encoding.js';
import { checked } from '../checked.js';
import type { RouteFamily } from '../context.js';
import { checkEngine } from '../engine-choice.js';
import { isLocalCaller } from '../guards.js';
import { requireVerb } from '../nodes.js';
import { SayOfText, SayQuery } from '../params.js';
import { sayOptions } from '../say-options.js';
import { isJson, SPOKEN_SCHEMA, streamedBodies, takeSpeech } from '../take-speech.js';
import { targetOf } from '../target.js';

/** Routes of text in the request body, spoken while it is being written. */
export const sayRoutes: RouteFamily = (root, context) =>
  streamedBodies(root, { json: true }, (api) =>
    api.route({
      method: 'POST',
      url: '/api/agents/:name/say',
      config: { streamsBody: 'unless-json' },
      schema: {
        ...SPOKEN_SCHEMA,
        operationId: 'say',
        summary: 'Speaks a text',
        description:
          'The body is the text, in UTF-8 or in the charset of its content type, and may still be written while it is spoken: the first sentence sounds while the ' +
          'next ones are to come. A body of JSON, `{"text": "…"}`, has the options beside it. Answers as the route that ' +
          'speaks a sound does.',
        consumes: ['text/plain'],
        querystring: SayQuery,
        body: z.unknown().meta({ type: 'string' }),
        'x-json-body': { $ref: '#/components/schemas/SayOfText' },
      },
      handler: async (request, reply) => {
        const { text, ...wanted } = isJson(request)
          ? { ...request.query, ...checked(SayOfText, request.body, 'The body of the request') }
          : { ...request.query, text: undefined };
        const { wait, sent, label, ...given } = wanted;
        if (given.cues ?? given.tags) requireVerb(request.raw, 'send');
        const charset = charsetOf(request.headers['content-type']);
        const encoding = charset === undefined ? undefined : encodingName(charset);
        await takeSpeech(context, request, reply, { wait, sent, label: label ?? 'the text' }, (upload) => {
          checkEngine(context.bridge, given, isLocalCaller(request.raw));
          const said = upload ? decodeText(upload, { encoding }) : text!;
          return targetOf(context, request.params.name).say(said, sayOptions({ ...given, label }));
        });
        return reply;
      },
    }),
  );
