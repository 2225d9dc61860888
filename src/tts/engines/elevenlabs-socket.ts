import { WebSocket } from 'ws';
import { z } from 'zod';
import type { Clock, Timer } from '../../base/clock.js';
import type { BridgeError } from '../../base/errors.js';
import type { SynthesisPart, TextSpan } from '../engine.js';
import type { HttpClient } from '../http-client.js';

const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
const HANDSHAKE_MS = 10_000;
const BYTES_PER_MS = 32;

const messageSchema = z.looseObject({
  audio: z.string().nullish(),
  contextId: z.string().nullish(),
  isFinal: z.boolean().nullish(),
  error: z.string().nullish(),
  message: z.string().nullish(),
  alignment: z
    .looseObject({
      chars: z.array(z.string()),
      charStartTimesMs: z.array(z.number()),
      charDurationsMs: z.array(z.number()),
    })
    .nullish(),
});
type Message = z.output<typeof messageSchema>;

/** Options of a connection. */
export interface ElevenLabsSocketOptions {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Creates the errors, without secrets. */
  readonly client: HttpClient;
  readonly clock: Clock;
  /** Maximum time without a message within an utterance, in ms. */
  readonly idleMs: number;
}

/** An utterance on the connection. */
interface Context {
  readonly messages: Message[];
  failure: Error | undefined;
  wake: (() => void) | undefined;
}

/**
 * WebSocket of ElevenLabs with several contexts: one connection, reopened after the service closed it, with
 * one context per utterance. It counts an utterance's sound in 16 kHz mono s16le (`pcm_16000`).
 */
export class ElevenLabsSocket {
  readonly #options: ElevenLabsSocketOptions;
  readonly #contexts = new Map<string, Context>();
  #socket: WebSocket | undefined;
  #opening: Promise<WebSocket> | undefined;
  #count = 0;

  constructor(options: ElevenLabsSocketOptions) {
    this.#options = options;
  }

  /**
   * Speaks one utterance.
   * @param settings ElevenLabs's `voice_settings`
   * @throws BridgeError ENGINE_UNREACHABLE, ENGINE_DENIED, ENGINE_FAILED or ENGINE_TIMEOUT, or the signal's reason
   */
  async *speak(
    text: string,
    settings: Record<string, number> | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<SynthesisPart, void, undefined> {
    signal.throwIfAborted();
    const socket = await this.#open();
    const id = `u${++this.#count}`;
    const context: Context = { messages: [], failure: undefined, wake: undefined };
    this.#contexts.set(id, context);
    const send = (message: object): void => socket.send(JSON.stringify({ ...message, context_id: id }));
    let finished = false;
    try {
      send({ text: ' ', voice_settings: settings });
      send({ text: `${text} ` });
      send({ flush: true });
      send({ close_context: true });
      let receivedBytes = 0;
      while (!finished) {
        const message = await this.#next(context, signal);
        // The times of a message count from the start of its own sound.
        const spans = spansOf(message, receivedBytes / BYTES_PER_MS);
        if (spans.length > 0) yield { kind: 'spans', spans };
        if (message.audio) {
          const bytes = Buffer.from(message.audio, 'base64');
          receivedBytes += bytes.length;
          yield { kind: 'audio', bytes };
        }
        finished = message.isFinal === true;
      }
      if (receivedBytes === 0)
        throw this.#options.client.error('ENGINE_FAILED', 'ended an utterance without sound.');
    } finally {
      this.#contexts.delete(id);
      // A closed context still runs to its end; only closing the connection stops unwanted sound.
      if (!finished && this.#contexts.size === 0) this.close();
      else if (!finished && socket.readyState === WebSocket.OPEN) send({ close_context: true });
    }
  }

  /** Ends the connection and all its utterances. */
  close(): void {
    this.#socket?.terminate();
    this.#socket = undefined;
    this.#opening = undefined;
  }

  #open(): Promise<WebSocket> {
    if (this.#socket?.readyState === WebSocket.OPEN) return Promise.resolve(this.#socket);
    this.#opening ??= this.#connect().finally(() => (this.#opening = undefined));
    return this.#opening;
  }

  #connect(): Promise<WebSocket> {
    const { url, headers, client } = this.#options;
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(url, {
        headers,
        handshakeTimeout: HANDSHAKE_MS,
        maxPayload: MAX_MESSAGE_BYTES,
        perMessageDeflate: false,
      });
      this.#socket = socket;
      socket.once('open', () => resolve(socket));
      socket.on('unexpected-response', (request, response) => {
        request.destroy();
        const status = response.statusCode ?? 0;
        const code =
          status === 401 || status === 403
            ? 'ENGINE_DENIED'
            : status === 429
              ? 'ENGINE_BUSY'
              : 'ENGINE_FAILED';
        reject(client.error(code, `refused the connection with status ${status}.`));
      });
      socket.on('error', (error) => {
        const failure = client.error(
          'ENGINE_UNREACHABLE',
          `cannot be reached at ${url.origin}: ${error.message}.`,
          error,
        );
        reject(failure);
        this.#failAll(failure);
      });
      socket.on('close', (code, reason) => {
        if (this.#socket === socket) this.#socket = undefined;
        const why = reason.toString() || `code ${code}`;
        this.#failAll(client.error('ENGINE_FAILED', `closed its connection in mid-utterance: ${why}.`));
      });
      socket.on('message', (data) => this.#deliver(data as Buffer));
    });
  }

  #deliver(data: Buffer): void {
    const message = this.#parse(data);
    if (!message) return;
    const error = message.error ?? (!message.audio && !message.isFinal ? message.message : undefined);
    if (error) {
      const failure = this.#options.client.error('ENGINE_FAILED', `answered: ${message.message ?? error}.`);
      const only = this.#contexts.get(message.contextId ?? '');
      if (only) fail(only, failure);
      else this.#failAll(failure);
      return;
    }
    const context = this.#contexts.get(message.contextId ?? '');
    // Messages for a cancelled utterance are ignored.
    if (!context) return;
    context.messages.push(message);
    context.wake?.();
  }

  #parse(data: Buffer): Message | undefined {
    try {
      return messageSchema.parse(JSON.parse(data.toString('utf8')));
    } catch (error) {
      this.#failAll(this.#options.client.error('ENGINE_FAILED', 'sent a message of another shape.', error));
      return undefined;
    }
  }

  #failAll(failure: BridgeError): void {
    for (const context of this.#contexts.values()) fail(context, failure);
  }

  async #next(context: Context, signal: AbortSignal): Promise<Message> {
    const { clock, idleMs, client } = this.#options;
    let timer: Timer | undefined;
    if (context.messages.length === 0 && !context.failure && !signal.aborted) {
      let wake = (): void => undefined;
      const woken = new Promise<void>((resolve) => (wake = resolve));
      context.wake = wake;
      signal.addEventListener('abort', wake, { once: true });
      timer = clock.after(idleMs, () =>
        fail(context, client.error('ENGINE_TIMEOUT', `sent nothing for ${idleMs} ms.`)),
      );
      await woken;
      timer.cancel();
      signal.removeEventListener('abort', wake);
    }
    signal.throwIfAborted();
    const message = context.messages.shift();
    if (message) return message;
    throw context.failure ?? client.error('ENGINE_FAILED', 'ended without a word.');
  }
}

function fail(context: Context, failure: Error): void {
  context.failure ??= failure;
  context.wake?.();
}

function spansOf({ alignment }: Message, offsetMs: number): TextSpan[] {
  if (!alignment) return [];
  return alignment.chars.map((text, index) => {
    const startMs = offsetMs + (alignment.charStartTimesMs[index] ?? 0);
    return { text, startMs, endMs: startMs + (alignment.charDurationsMs[index] ?? 0) };
  });
}
