import type { FastifyReply } from 'fastify';
import { BridgeError } from '../base/errors.js';
import type { Speech, SpeechEnd } from '../speech/speech.js';
import type { ServiceContext } from './context.js';
import {
  acceptedEvent,
  followPosition,
  followSamples,
  followSpeech,
  type SpeechEventJson,
} from './events.js';
import { LineWriter } from './line-writer.js';
import { orNull, roundMs, speechEndJson, type SpeechResultJson } from './schemas.js';
import type { Upload } from './upload.js';

/** The media type of a live answer: one JSON object a line. */
export const NDJSON_TYPE = 'application/x-ndjson';

/** How long `wait=accepted` waits to hear that the sound is none, once all of it is there. */
const HEAD_WAIT_MS = 2000;

/** What an answer is about. */
export interface SpeechRequest {
  readonly context: ServiceContext;
  readonly agent: string;
  readonly speech: Speech;
  readonly upload: Upload;
  readonly reply: FastifyReply;
  /** A live answer tells the samples too. */
  readonly sent: boolean;
}

/** A speech as the API answers it, with its end when it has one. */
export function speechResult(agent: string, speech: Speech): SpeechResultJson {
  const { positionMs, durationMs } = speech.position;
  return {
    id: speech.id,
    agent,
    label: speech.label,
    state: speech.state,
    positionMs: roundMs(positionMs),
    durationMs: orNull(durationMs),
    end: speech.end ? speechEndJson(speech.end) : null,
  };
}

/**
 * Answers when the upload has been taken in. Not sooner: most HTTP clients give up an upload that is answered before
 * its end.
 * @throws what the speech failed with, when it already has
 */
export async function answerAccepted({
  agent,
  speech,
  upload,
  reply,
  context,
}: SpeechRequest): Promise<void> {
  await Promise.race([upload.received, speech.finished]);
  if (speech.state === 'preparing' && !speech.info) {
    // Its head is being read right now: a moment later it is known whether it is a sound at all.
    await new Promise<void>((resolve) => {
      const timer = context.bridge.clock.after(HEAD_WAIT_MS, resolve);
      const settle = (): void => {
        timer.cancel();
        resolve();
      };
      speech.on('info', settle);
      speech.on('ended', settle);
    });
  }
  throwFailure(speech.end);
  reply.code(202).header('location', locationOf(agent, speech));
  await reply.send(speechResult(agent, speech));
}

/**
 * Answers at the first sound, whole, and ends the answer when the upload has been taken in, for the reason given at
 * `answerAccepted`.
 * @throws why there will be no sound
 */
export async function answerStarted(request: SpeechRequest): Promise<void> {
  const { agent, speech, upload, reply } = request;
  const forget = stopWhenGone(request);
  const started = await speech.started;
  forget();
  if (!started) throw speech.end?.error ?? new BridgeError('INTERNAL', `${speech.label} made no sound.`);
  reply.hijack();
  const { raw } = reply;
  const body = JSON.stringify(speechResult(agent, speech));
  raw.writeHead(200, {
    ...(reply.getHeaders() as Record<string, string>),
    location: locationOf(agent, speech),
    'content-type': 'application/json; charset=utf-8',
  });
  raw.write(body);
  await Promise.race([upload.received, speech.finished]);
  raw.end();
}

/**
 * Answers when it has been heard to its end. When the client goes away before, the speech is stopped.
 * @throws what it ended with, unless it completed
 */
export async function answerFinished(request: SpeechRequest): Promise<void> {
  const { agent, speech, reply } = request;
  const forget = stopWhenGone(request);
  const end = await speech.finished;
  forget();
  throwFailure(end);
  if (end.error) throw end.error;
  await reply.send(speechResult(agent, speech));
}

/** Tells everything live, a line of JSON each. When the client goes away, the speech is stopped. */
export async function answerLive(request: SpeechRequest): Promise<void> {
  const { agent, speech, reply, context } = request;
  reply.hijack();
  const forget = stopWhenGone(request);
  const lines = new LineWriter(reply.raw, context.limits.maxFollowerBytes);
  const tell = (event: SpeechEventJson): void => {
    if (event.type === 'position' && lines.behind) return;
    if (!lines.write(`${JSON.stringify(event)}\n`)) lines.drop();
  };
  const offs = [followSpeech(agent, speech, tell), followPosition(agent, speech, tell)];
  if (request.sent) offs.push(followSamples(agent, speech, tell));
  lines.open(`${NDJSON_TYPE}; charset=utf-8`, { ...reply.getHeaders(), location: locationOf(agent, speech) });
  tell(acceptedEvent(agent, speech));
  await speech.finished;
  forget();
  offs.forEach((off) => off());
  lines.end();
}

function locationOf(agent: string, speech: Speech): string {
  return `/api/agents/${encodeURIComponent(agent)}/speeches/${speech.id}`;
}

function throwFailure(end: SpeechEnd | undefined): void {
  if (end && (end.how === 'failed' || end.how === 'avatar-lost')) {
    throw end.error ?? new BridgeError('INTERNAL', 'The speech failed.');
  }
}

/** Whoever waits for a speech owns it: when they go, it stops. */
function stopWhenGone({ reply, speech, context, agent }: SpeechRequest): () => void {
  const onClose = (): void => {
    context.bridge.logger.info(
      { agent, speech: speech.id },
      `${speech.label} is stopped: the client that waited for its end went away`,
    );
    void speech.stop();
  };
  reply.raw.once('close', onClose);
  return () => reply.raw.off('close', onClose);
}
