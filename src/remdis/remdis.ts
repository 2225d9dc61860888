import { randomUUID } from 'node:crypto';
import { Connection, type Consumer, type Publisher } from 'rabbitmq-client';
import { z } from 'zod';
import type { Clock, Timer } from '../base/clock.js';
import type { Logger } from '../base/logger.js';
import { ThrottledWarnings } from '../base/throttled-warnings.js';
import { samplesToMs } from '../base/units.js';
import type { Agent } from '../agent/agent.js';
import type { SpeechStream } from '../agent/speech-stream.js';
import type { Speech, SpeechEnd } from '../speech/speech.js';
import type { TextPiece } from '../tts/script.js';
import { Motions, type ExpressionAndAction, type RabbitMqConfig } from './motions.js';

const RAW_FORMAT = 's16le:16000:1';
/** Time without sound or commit after which an utterance counts as ended, in ms. */
const SILENT_MS = 3000;
/** Maximum sound or text of one utterance that may wait, in bytes: ten minutes of sound. */
const MAX_WAITING_BYTES = 10 * 60 * 16_000 * 2;
/** Largest message that is read, in bytes. */
const MAX_BODY_BYTES = 1_000_000;
const RETRY_MS = { low: 500, high: 10_000 };

/** An incremental unit, the message of every Remdis module. */
const unitSchema = z.looseObject({
  id: z.string(),
  update_type: z.enum(['add', 'revoke', 'commit', 'empty']),
  body: z.unknown(),
  data_type: z.string().optional(),
});
type Unit = z.output<typeof unitSchema>;

const motionSchema = z.looseObject({ expression: z.string().optional(), action: z.string().optional() });

/** Options of the Remdis connection. */
export interface RemdisOptions {
  /** `amqp://user:password@host:port`; default: from the configuration. */
  readonly url: string | undefined;
  /** The avatar's own `rabbitmq_config.json`. */
  readonly config: RabbitMqConfig;
  /** `sound` speaks the exchange `tts`; `text` speaks the exchange `dialogue` with the bridge's own engine. */
  readonly source: 'sound' | 'text';
  /** Exchange that receives the text that was heard. */
  readonly heardExchange: string | undefined;
  readonly agent: Agent;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** An utterance of the system, until its commit or revoke. */
type Utterance =
  | { readonly kind: 'sound'; readonly id: string; readonly stream: SpeechStream; receivedSamples: number }
  | { readonly kind: 'text'; readonly id: string; readonly pieces: PieceQueue; readonly speech: Speech };

/**
 * Replaces the avatar's RabbitMQ plugin: speaks what the Remdis modules publish, moves the avatar on request,
 * and publishes what was heard. It reconnects without a limit.
 */
export class Remdis {
  readonly #options: RemdisOptions;
  readonly #motions: Motions;
  readonly #logger: Logger;
  readonly #warnings: ThrottledWarnings;
  readonly #unfollow: () => void;
  readonly #connection: Connection;
  readonly #consumers: Consumer[];
  readonly #publisher: Publisher | undefined;
  #utterance: Utterance | undefined;
  /** The utterance that began last; it may still sound. */
  #latest: Utterance | undefined;
  /** True after another caller ended the utterance: the rest of it is dropped. */
  #dropping = false;
  #silence: Timer | undefined;
  #connected = false;
  #malformed = 0;

  constructor(options: RemdisOptions) {
    const { agent, clock, config } = options;
    this.#options = options;
    this.#logger = options.logger.child({ agent: agent.name });
    this.#warnings = new ThrottledWarnings((message) => this.#logger.warn({}, message), clock);
    this.#motions = new Motions(config);
    this.#unfollow = this.#motions.follow(agent);
    this.#connection = new Connection({
      ...(options.url === undefined
        ? { hostname: config.host, port: config.port, username: config.user, password: config.pass }
        : { url: options.url }),
      connectionName: 'mmdagent-audio-bridge',
      retryLow: RETRY_MS.low,
      retryHigh: RETRY_MS.high,
    });
    const { hostname, port } =
      options.url === undefined ? { hostname: config.host, port: config.port } : new URL(options.url);
    const at = `${hostname}:${port || 5672}`;
    this.#connection.on('connection', () => {
      this.#connected = true;
      this.#logger.info({}, `${agent.name}: joined Remdis at ${at}`);
    });
    this.#connection.on('error', (error: Error) => {
      if (this.#connected)
        this.#logger.warn({}, `${agent.name}: lost RabbitMQ at ${at}: ${error.message}; trying again`);
      else this.#warnings.say(`RabbitMQ at ${at} does not answer: ${error.message}; trying again`);
      this.#connected = false;
    });
    this.#consumers = [
      this.#consume(options.source === 'sound' ? 'tts' : 'dialogue', (unit) => this.#spoken(unit)),
      this.#consume('dialogue2', (unit) => this.#moved(unit)),
    ];
    this.#publisher =
      options.heardExchange === undefined
        ? undefined
        : this.#connection.createPublisher({ exchanges: [fanout(options.heardExchange)] });
  }

  /** Number of messages that were not valid units. */
  get malformed(): number {
    return this.#malformed;
  }

  /** Disconnects. Sound already received is played to its end. */
  async close(): Promise<void> {
    this.#unfollow();
    this.#end();
    // Without a server, an orderly close would wait for one.
    if (!this.#connected) return this.#connection.unsafeDestroy();
    await Promise.all(this.#consumers.map((consumer) => consumer.close()));
    await this.#publisher?.close();
    await this.#connection.close();
  }

  #consume(exchange: string, take: (unit: Unit) => void): Consumer {
    const consumer = this.#connection.createConsumer(
      {
        queueOptions: { exclusive: true },
        // Declared as Remdis does: RabbitMQ refuses a second declaration that differs.
        exchanges: [fanout(exchange)],
        queueBindings: [{ exchange }],
        noAck: true,
        concurrency: 1,
      },
      ({ body }) => {
        const unit = this.#unitOf(body, exchange);
        if (unit) take(unit);
      },
    );
    consumer.on('error', (error: Error) => this.#warnings.say(`the exchange ${exchange}: ${error.message}`));
    return consumer;
  }

  /** Parses the body. rabbitmq-client parses only bodies labelled as JSON, and Remdis sets no label. */
  #unitOf(body: unknown, exchange: string): Unit | undefined {
    let json = body;
    if (Buffer.isBuffer(body) || typeof body === 'string') {
      const text = body.toString();
      if (text.length > MAX_BODY_BYTES)
        return this.#refuse(exchange, `a message of ${text.length} characters`);
      try {
        json = JSON.parse(text);
      } catch {
        return this.#refuse(exchange, 'a message that is not JSON');
      }
    }
    const unit = unitSchema.safeParse(json);
    return unit.success
      ? unit.data
      : this.#refuse(exchange, `a message whose ${unit.error.issues[0]!.path.join('.') || 'form'} is wrong`);
  }

  #refuse(exchange: string, what: string): undefined {
    this.#malformed += 1;
    this.#warnings.say(`Remdis sent ${what} to the exchange ${exchange}; ${this.#malformed} so far`);
  }

  #spoken(unit: Unit): void {
    if (unit.update_type === 'revoke') return this.#revoke();
    if (this.#options.source === 'sound') this.#sound(unit);
    else this.#text(unit);
    if (unit.update_type === 'commit') this.#end();
    else this.#watchSilence();
  }

  /** Stops the speech: the user has begun to speak. */
  #revoke(): void {
    const utterance = this.#utterance;
    this.#end();
    if (utterance) void speechOf(utterance).stop();
  }

  #sound({ id, body, update_type }: Unit): void {
    const bytes = typeof body === 'string' ? Buffer.from(body, 'base64') : undefined;
    if (!bytes || bytes.length % 2 === 1)
      return this.#refuse('tts', 'sound that is not base64 of 16-bit samples');
    // A commit without sound ends an utterance and starts none, also with a chunk of silence after it.
    if (bytes.length === 0 || (update_type === 'commit' && !this.#utterance) || this.#dropping) return;
    this.#utterance ??= this.#begin(id, (label) => {
      const { agent } = this.#options;
      const stream = agent.createSpeechStream({ format: RAW_FORMAT, label, model: this.#motions.model });
      stream.on('error', () => undefined);
      return { kind: 'sound', id, stream, receivedSamples: 0 };
    });
    const utterance = this.#utterance;
    if (utterance?.kind !== 'sound') return;
    if (utterance.stream.writableLength > MAX_WAITING_BYTES) return this.#tooMuch(utterance.stream.speech);
    utterance.stream.write(bytes);
    utterance.receivedSamples += bytes.length / 2;
  }

  #text({ id, body }: Unit): void {
    if (typeof body !== 'string') return this.#refuse('dialogue', 'a text that is not a string');
    if (body === '' || this.#dropping) return;
    this.#utterance ??= this.#begin(id, () => {
      const pieces = new PieceQueue();
      return {
        kind: 'text',
        id,
        pieces,
        speech: this.#options.agent.say(pieces, { model: this.#motions.model }),
      };
    });
    const utterance = this.#utterance;
    if (utterance?.kind !== 'text') return;
    if (utterance.pieces.bytes > MAX_WAITING_BYTES) return this.#tooMuch(utterance.speech);
    utterance.pieces.push(body);
  }

  #begin(id: string, make: (label: string) => Utterance): Utterance | undefined {
    try {
      const utterance = make(`Remdis ${id.slice(0, 8)}`);
      this.#latest = utterance;
      const speech = speechOf(utterance);
      const sentences: string[] = [];
      speech.on('sentence', ({ text, state }) => {
        if (state !== 'begun') sentences.push(text);
      });
      void speech.finished.then((end) => {
        if (this.#utterance === utterance) {
          this.#utterance = undefined;
          this.#dropping = true;
        }
        this.#tellHeard(id, end, sentences);
      });
      return utterance;
    } catch (error) {
      this.#dropping = true;
      this.#warnings.say(
        `an utterance of Remdis is not spoken: ${error instanceof Error ? error.message : String(error)}`,
      );
      return undefined;
    }
  }

  #tooMuch(speech: Speech): void {
    this.#warnings.say('an utterance of Remdis is longer than ten minutes; it was stopped');
    void speech.stop();
  }

  /** Ends the utterance. */
  #end(): void {
    this.#silence?.cancel();
    this.#silence = undefined;
    this.#dropping = false;
    const utterance = this.#utterance;
    this.#utterance = undefined;
    if (utterance?.kind === 'sound') utterance.stream.end();
    else utterance?.pieces.end();
  }

  /** Ends an utterance whose module stopped without a commit, so that the queue does not wait forever. */
  #watchSilence(): void {
    this.#silence?.cancel();
    if (this.#options.source === 'sound')
      this.#silence = this.#options.clock.after(SILENT_MS, () => this.#end());
  }

  /** Moves the avatar after everything before it has been heard. */
  #moved(unit: Unit): void {
    if (unit.data_type !== 'expression_and_action' || unit.update_type === 'revoke') return;
    const asked = motionOf(unit.body);
    if (!asked) return this.#refuse('dialogue2', 'an expression or action of another form');
    const { commands, unknown } = this.#motions.commands(asked);
    for (const name of unknown) this.#warnings.say(`rabbitmq_config.json has no motion for '${name}'`);
    const open = this.#utterance;
    if (open?.kind === 'text') {
      open.pieces.push({ name: 'remdis', args: [], commands, pauseMs: 0 });
      return;
    }
    // Sound and motions come over two queues: the commit of the sound before it may have been faster.
    const before = open ?? this.#latest;
    for (const command of commands) this.#moveLater(command, before);
  }

  #moveLater(command: string, before: Utterance | undefined): void {
    const send = (): void => {
      this.#options.agent
        .send(command)
        .catch((error: unknown) => this.#warnings.say(`${command}: ${String(error)}`));
    };
    if (!before || speechOf(before).state === 'ended') return send();
    if (before.kind === 'text') return void speechOf(before).finished.then(send);
    try {
      speechOf(before).cue(samplesToMs(before.receivedSamples), command, { always: true });
    } catch (error) {
      this.#warnings.say(`${command}: ${String(error)}`);
    }
  }

  #tellHeard(id: string, end: SpeechEnd, sentences: readonly string[]): void {
    const { heardExchange: exchange } = this.#options;
    if (exchange === undefined || !this.#publisher || !this.#connected) return;
    const unit = {
      timestamp: Date.now() / 1000,
      id: randomUUID(),
      producer: 'mmdagent-audio-bridge',
      update_type: 'commit',
      exchange,
      data_type: 'heard',
      body: {
        utterance: id,
        heard_ms: Math.round(end.heardMs),
        text: sentences.join(''),
        interrupted: end.how !== 'completed',
      },
    };
    this.#publisher.send({ exchange }, Buffer.from(JSON.stringify(unit))).catch((error: unknown) => {
      this.#warnings.say(`the exchange ${exchange} was not told what was heard: ${String(error)}`);
    });
  }
}

function speechOf(utterance: Utterance): Speech {
  return utterance.kind === 'sound' ? utterance.stream.speech : utterance.speech;
}

/** Declares an exchange as Remdis does. */
function fanout(exchange: string): { exchange: string; type: string; durable: boolean } {
  return { exchange, type: 'fanout', durable: false };
}

/** Reads a body that is an object, or JSON of one. */
function motionOf(body: unknown): ExpressionAndAction | undefined {
  let json = body;
  try {
    if (typeof body === 'string') json = JSON.parse(body);
  } catch {
    return undefined;
  }
  const result = motionSchema.safeParse(json);
  return result.success ? result.data : undefined;
}

/** Queue of text pieces, iterated as they arrive. */
class PieceQueue implements AsyncIterable<TextPiece> {
  readonly #pieces: TextPiece[] = [];
  #bytes = 0;
  #ended = false;
  #wake: (() => void) | undefined;

  /** Size of the waiting pieces, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  push(piece: TextPiece): void {
    this.#pieces.push(piece);
    this.#bytes += sizeOf(piece);
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<TextPiece> {
    for (;;) {
      const piece = this.#pieces.shift();
      if (piece !== undefined) {
        this.#bytes -= sizeOf(piece);
        yield piece;
      } else if (this.#ended) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

function sizeOf(piece: TextPiece): number {
  return typeof piece === 'string' ? piece.length * 2 : 100;
}
