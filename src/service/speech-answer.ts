import type { FastifyReply } from 'fastify';
import { BridgeError } from '../base/errors.js';
import type { Speech, SpeechEnd } from '../speech/speech.js';
import type { ServiceContext } from './context.js';
import {
  acceptedEvent,
  endedEvent,
  followPosition,
  followSamples,
  followSpeech,
  type SpeechEventJson,
} from './events.js';
import { LiveAnswer } from './live-answer.js';
import { goesOnWithout } from './nodes.js';
import { speechResult, type SpeechAnswerJson } from './schemas.js';
import type { Spoken } from './target.js';

/** Media type of a live answer: one JSON object a line. */
export const NDJSON_TYPE = 'application/x-ndjson';

/** Maximum wait of `wait=accepted` for the format check of a complete upload, in ms. */
const HEAD_WAIT_MS = 2000;

/** Request data that an answer needs. */
export interface AnswerRequest {
  readonly context: ServiceContext;
  readonly spoken: Spoken;
  /** Settles when the upload has been received, or nothing more of it will be. */
  readonly received: Promise<void>;
  readonly reply: FastifyReply;
  /** True when a live answer includes the samples; of several agents those of the first. */
  readonly sent: boolean;
}

/**
 * Answers when the upload has been received. Not sooner: most HTTP clients abort an upload that is answered before its
 * end.
 * @throws the speech's error, when it has already failed
 */
export async function answerAccepted({ spoken, received, reply, context }: AnswerRequest): Promise<void> {
  await Promise.race([received, spoken.finished]);
  await Promise.all(spoken.members.map(({ speech }) => headRead(context, speech)));
  throwFailure(spoken.members.map(({ speech }) => speech.end));
  reply.code(202).header('location', locationOf(spoken));
  await reply.send(answerOf(spoken));
}

/** Waits while the head of the sound is being read, after which an invalid sound is known. */
async function headRead({ bridge }: ServiceContext, speech: Speech): Promise<void> {
  if (speech.state !== 'preparing' || speech.info) return;
  await new Promise<void>((resolve) => {
    const timer = bridge.clock.after(HEAD_WAIT_MS, resolve);
    const settle = (): void => {
      timer.cancel();
      resolve();
    };
    speech.on('info', settle);
    speech.on('ended', settle);
  });
}

/**
 * Answers at the first sound, and ends the answer when the upload has been received, for the reason given at
 * `answerAccepted`.
 * @throws the reason when there will be no sound
 */
export async function answerStarted(request: AnswerRequest): Promise<void> {
  const { spoken, received, reply } = request;
  const forget = stopWhenGone(request);
  const started = await anyStarted(spoken);
  forget();
  if (!started) {
    const { label, end } = spoken.members[0]!.speech;
    throw end?.error ?? new BridgeError('INTERNAL', `${label} made no sound.`);
  }
  reply.hijack();
  const { raw } = reply;
  const body = JSON.stringify(answerOf(spoken));
  raw.writeHead(200, {
    ...(reply.getHeaders() as Record<string, string>),
    location: locationOf(spoken),
    'content-type': 'application/json; charset=utf-8',
  });
  raw.write(body);
  await Promise.race([received, spoken.finished]);
  raw.end();
}

/** Returns true at the first sound of any speech, false when there will be none. */
function anyStarted({ members }: Spoken): Promise<boolean> {
  return new Promise((resolve) => {
    const all = members.map(async ({ speech }) => {
      if (await speech.started) resolve(true);
    });
    void Promise.all(all).then(() => resolve(false));
  });
}

/**
 * Answers when the speech has ended. When the client disconnects before, the speech is stopped. With several agents each
 * end is reported, and one completed speech is a success.
 * @throws the speech's error, unless it completed
 */
export async function answerFinished(request: AnswerRequest): Promise<void> {
  const { spoken, reply } = request;
  const forget = stopWhenGone(request);
  const ends = await spoken.finished;
  forget();
  const all = [...ends.values()];
  throwFailure(all);
  if (all.every(({ how }) => how !== 'completed'))
    throw all[0]!.error ?? new BridgeError('INTERNAL', 'It ended.');
  await reply.send(answerOf(spoken, ends));
}

/** Answers with all events live, one JSON line each. When the client disconnects, the speech is stopped. */
export async function answerLive(request: AnswerRequest): Promise<void> {
  const { spoken, reply, context } = request;
  reply.hijack();
  const forget = stopWhenGone(request);
  const lines = new LiveAnswer(reply.raw, context.limits.maxFollowerBytes);
  const tell = (event: SpeechEventJson): void => {
    if (event.type === 'position' && lines.behind) return;
    if (!lines.write(`${JSON.stringify(event)}\n`)) lines.drop();
  };
  const offs = spoken.members.flatMap(({ agent, speech }) => [
    followSpeech(agent, speech, tell),
    followPosition(agent, speech, tell),
  ]);
  const [first] = spoken.members;
  if (request.sent && first) offs.push(followSamples(first.agent, first.speech, tell));
  lines.open(`${NDJSON_TYPE}; charset=utf-8`, { ...reply.getHeaders(), location: locationOf(spoken) });
  for (const { agent, speech } of spoken.members) tell(acceptedEvent(agent, speech));
  const ends = await spoken.finished;
  forget();
  offs.forEach((off) => off());
  for (const { agent, speech } of spoken.members) {
    // A speech that was left behind has no end of its own.
    if (!speech.end) tell(endedEvent(agent, speech, ends.get(agent)!));
  }
  lines.end();
}

function answerOf(spoken: Spoken, ends?: ReadonlyMap<string, SpeechEnd>): SpeechAnswerJson {
  const speeches = spoken.members.map(({ agent, speech }) => speechResult(agent, speech, ends?.get(agent)));
  return spoken.isGroup ? { speeches } : speeches[0]!;
}

/** Returns the URL for querying and stopping the speech; of several agents the URL of their speeches. */
function locationOf({ name, isGroup, members }: Spoken): string {
  const path = `/api/agents/${encodeURIComponent(name)}/speeches`;
  return isGroup ? path : `${path}/${members[0]!.speech.id}`;
}

/** Throws when all speeches have failed; a single heard speech is a success. */
function throwFailure(ends: readonly (SpeechEnd | undefined)[]): void {
  const failed = ends.filter((end) => end?.how === 'failed' || end?.how === 'avatar-lost');
  if (failed.length < ends.length) return;
  throw failed[0]!.error ?? new BridgeError('INTERNAL', 'The speech failed.');
}

/** Stops the speech when the client that waits for it disconnects. */
function stopWhenGone({ reply, spoken, context }: AnswerRequest): () => void {
  const onClose = (): void => {
    if (goesOnWithout(reply.request.raw)) return;
    for (const { agent, speech } of spoken.members) {
      context.bridge.logger.info(
        { agent, speech: speech.id },
        `${speech.label} is stopped: the client that waited for its end went away`,
      );
      void speech.stop();
    }
  };
  reply.raw.once('close', onClose);
  return () => reply.raw.off('close', onClose);
}
