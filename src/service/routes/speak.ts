import { z } from 'zod';
import type { SoundInput, SoundInputOptions } from '../../audio/input.js';
import { parseHttpUrl, urlLabel } from '../../source/http-get.js';
import { openSound } from '../../source/open.js';
import type { SpeechOptions } from '../../speech/speech.js';
import { checked } from '../checked.js';
import type { RouteFamily } from '../context.js';
import { isLocalCaller } from '../guards.js';
import { requireVerb } from '../nodes.js';
import { SpeechOfUrl, SpeechQuery } from '../params.js';
import { isJson, SPOKEN_SCHEMA, streamedBodies, takeSpeech, uploadLabel } from '../take-speech.js';
import { targetOf } from '../target.js';

const schema = {
  ...SPOKEN_SCHEMA,
  summary: 'Speaks a sound',
  description:
    'The body is the sound, in any format the bridge reads, and is spoken while it arrives. It is read only as it is ' +
    'needed: TCP slows the sender. Whoever waits for a speech (`wait=started` until it sounds, `wait=finished` and ' +
    '`application/x-ndjson` to its end) owns it: when that client goes away, the speech is stopped. A live answer ' +
    '(`application/x-ndjson`) notices that at once; with `wait=` it is noticed once all that the client had sent was read: ' +
    'at once where that is a few MB, which are read ahead for it, else when the speech has come that far.',
  consumes: ['application/octet-stream', 'audio/*'],
  querystring: SpeechQuery,
  body: z.unknown().meta({ type: 'string', format: 'binary' }),
};

const URL_DESCRIPTION =
  ' By POST a body of JSON names an address instead, `{"url": "https://…"}`, with the options beside it or in the query. ' +
  'For callers on other machines addresses inside the service’s machine and its private network are refused.';

/** Routes of a sound in the request body, spoken while it arrives, or at an address in the body. */
export const speakRoutes: RouteFamily = (root, context) => {
  streamedBodies(root, { json: true }, (api) =>
    api.route({
      method: 'POST',
      url: '/api/agents/:name/speeches',
      config: { streamsBody: 'unless-json' },
      schema: {
        ...schema,
        operationId: 'speak',
        description: schema.description + URL_DESCRIPTION,
        'x-json-body': { $ref: '#/components/schemas/SpeechOfUrl' },
      },
      handler: async (request, reply) => {
        const { url, ...wanted } = isJson(request)
          ? { ...request.query, ...checked(SpeechOfUrl, request.body, 'The body of the request') }
          : { ...request.query, url: undefined };
        const address = url === undefined ? undefined : parseHttpUrl(url);
        if (wanted.cues) requireVerb(request.raw, 'send');
        const { wait, sent, live, label, ...given } = wanted;
        const name = label ?? (address ? urlLabel(address) : uploadLabel(request));
        const sound = { format: given.format };
        await takeSpeech(context, request, reply, { wait, sent, label: name, sound }, (upload) => {
          const target = targetOf(context, request.params.name);
          if (!address) return speak(target, upload!, { ...given, label: name }, live);
          const { format, ...rest } = given;
          const sound = openSound(address, { allowPrivate: isLocalCaller(request.raw), format });
          return speak(target, { ...sound, label: name }, rest, live);
        });
        return reply;
      },
    }),
  );
  streamedBodies(root, { json: false }, (api) =>
    api.route({
      method: 'PUT',
      url: '/api/agents/:name/speeches',
      config: { streamsBody: true },
      schema: { ...schema, operationId: 'speakByPut' },
      handler: async (request, reply) => {
        const { wait, sent, live, label = uploadLabel(request), ...given } = request.query;
        if (given.cues) requireVerb(request.raw, 'send');
        await takeSpeech(
          context,
          request,
          reply,
          { wait, sent, label, sound: { format: given.format } },
          (upload) => speak(targetOf(context, request.params.name), upload!, { ...given, label }, live),
        );
        return reply;
      },
    }),
  );
};

function speak(
  target: ReturnType<typeof targetOf>,
  input: SoundInput,
  given: object,
  live = false,
): ReturnType<ReturnType<typeof targetOf>['speak']> {
  const options = given as SpeechOptions & SoundInputOptions;
  return live ? target.live(input, options) : target.speak(input, options);
}

declare module 'fastify' {
  interface FastifySchema {
    /** Schema of a JSON body on a route that also accepts other bodies; for the reference. */
    'x-json-body'?: { readonly $ref: string };
  }
}
