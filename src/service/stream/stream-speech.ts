import type { Agent } from '../../agent/agent.js';
import { parseRawFormat, type RawFormat } from '../../audio/decode/raw.js';
import { bytesPerSample } from '../../audio/samples.js';
import { blockMs, type PcmBlock, type Sound } from '../../audio/pcm.js';
import type { Clock, Timer } from '../../base/clock.js';
import { BridgeError } from '../../base/errors.js';
import { openSound } from '../../source/open.js';
import type { Speech, SpeechEnd } from '../../speech/speech.js';
import { acceptedEvent, eventTime, followPosition, followSpeech } from '../events.js';
import { sayOptions } from '../say-options.js';
import { roundMs } from '../schemas.js';
import type { Flow } from './flow.js';
import { HeardMarks } from './heard-marks.js';
import { Intake, type StreamMark } from './intake.js';
import type { StreamSay, StreamServerMessage, StreamStart } from './protocol.js';
import { MarkTag, textPieces } from './text-pieces.js';

/** Maximum live sound waiting for its turn, in ms; the oldest part of more is dropped. */
const LIVE_WAIT_MS = 1000;
/** Maximum number of open marks of one speech. */
const MAX_MARKS = 1000;
/** Time to the next position, in ms; they come about ten times a second. An earlier mark gets its own timer. */
const NEXT_POSITION_MS = 120;
/** Minimum interval of warnings about dropped live sound, in ms. */
const WARN_EVERY_MS = 1000;

/** Options of a stream's speech. */
export interface StreamSpeechOptions {
  readonly agent: Agent;
  readonly start: StreamStart | StreamSay;
  readonly clock: Clock;
  readonly flow: Flow;
  readonly idleMs: number;
  /** Maximum waiting live sound in bytes, whatever its rate. */
  readonly maxLiveBytes: number;
  /** Name in messages, unless its client names it. */
  readonly label: string;
  tell(message: StreamServerMessage): void;
  /** Called with the live sound that was dropped before its turn. */
  onDropped(ms: number): void;
}

/** One speech whose sound or text comes over a stream. */
export class StreamSpeech {
  readonly speech: Speech;
  /** Kind of data its client sends. */
  readonly takes: 'sound' | 'text';
  readonly #options: StreamSpeechOptions;
  readonly #intake: Intake;
  readonly #marks = new HeardMarks();
  #marksUnderWay = 0;
  #takenMs = 0;
  #markTimer: Timer | undefined;
  /** Live sound dropped before its turn, in ms; the player counts later drops. */
  #droppedMs = 0;
  #lastWarnedMs = -Infinity;

  /** @throws as `Agent.speak` or `Agent.say` */
  constructor(options: StreamSpeechOptions) {
    const { start, clock, flow, idleMs } = options;
    const { label = options.label } = start;
    const format = start.type === 'start' ? start.format : undefined;
    const raw = format === undefined ? undefined : parseRawFormat(format);
    this.#options = options;
    this.#intake = new Intake({
      clock,
      flow,
      label,
      idleMs,
      ...(start.type === 'start' &&
        start.live &&
        raw && { live: liveBound(raw, LIVE_WAIT_MS + (start.burstMs ?? 0), options.maxLiveBytes) }),
      onMark: (mark) => this.#marks.add({ ...mark, atMs: this.#takenMs }),
      onDrop: (bytes) => this.#onDrop(bytes, raw!),
    });
    this.takes = start.type === 'start' ? 'sound' : 'text';
    this.speech = start.type === 'start' ? this.#speak(start, label) : this.#say(start);
    this.#follow(options.agent.name, start.ref);
  }

  /** True while it accepts sound or text. */
  get isOpen(): boolean {
    return this.#intake.isOpen;
  }

  /** Adds sound. */
  push(bytes: Uint8Array): void {
    this.#intake.push(bytes);
  }

  /** Adds a piece of the text. */
  write(text: string): void {
    // As UTF-16, so that a piece may be cut even within a character.
    this.#intake.push(Buffer.from(text, 'utf16le'));
  }

  /** Ends its sound or text. */
  end(): void {
    this.#intake.end();
  }

  /** Adds a mark behind the sound so far. @throws BridgeError STREAM_LIMIT when too many are open */
  mark(mark: StreamMark): void {
    if (this.#marksUnderWay >= MAX_MARKS) {
      throw new BridgeError(
        'STREAM_LIMIT',
        `${MAX_MARKS} marks of ${this.speech.label} wait to be heard, which is the limit.`,
        {
          advice: 'Wait until some of them have come back.',
        },
      );
    }
    this.#marksUnderWay += 1;
    this.#intake.mark(mark);
  }

  #speak(
    { type: _type, ref: _ref, format, live = false, burstMs = 0, ...given }: StreamStart,
    label: string,
  ): Speech {
    const sound = openSound(this.#intake, { label, format });
    return this.#options.agent.speak(this.#counted(sound, live, burstMs), given);
  }

  #say({ type: _type, ref: _ref, text, cues, ...given }: StreamSay): Speech {
    if (text !== undefined) this.write(text);
    return this.#options.agent.say(textPieces(this.#intake.entries()), {
      ...sayOptions(given),
      ...(cues && { cues: cues }),
      onTag: (tag, atMs) => {
        if (tag instanceof MarkTag) this.#marks.add({ ...tag.mark, atMs });
      },
    });
  }

  /** Counts decoded samples, so that marks get their positions; and marks the sound as live, if it is. */
  #counted(sound: Sound, live: boolean, burstMs: number): Sound {
    const count = (block: PcmBlock): void => {
      this.#takenMs += blockMs(block);
    };
    return {
      label: sound.label,
      live,
      burstMs,
      async *open(context) {
        for await (const block of sound.open(context)) {
          count(block);
          yield block;
        }
      },
    };
  }

  #follow(agent: string, ref: string | undefined): void {
    const { speech } = this;
    const { tell } = this.#options;
    tell({ ...acceptedEvent(agent, speech), ...(ref !== undefined && { ref }) });
    speech.on('position', ({ positionMs, droppedMs }) => this.#hear(positionMs + droppedMs));
    // Before the end is reported: a client that has received the end waits for no mark.
    speech.on('ended', (end) => this.#onEnded(end));
    followSpeech(agent, speech, (event) => {
      tell(
        event.type === 'ended' ? { ...event, droppedMs: roundMs(event.droppedMs + this.#droppedMs) } : event,
      );
    });
    followPosition(agent, speech, tell);
  }

  #hear(heardMs: number): void {
    for (const mark of this.#marks.heard(heardMs)) this.#tellMark(mark, true, mark.atMs);
    this.#markTimer?.cancel();
    this.#markTimer = undefined;
    const { nextMs } = this.#marks;
    if (nextMs === undefined || nextMs - heardMs > NEXT_POSITION_MS) return;
    this.#markTimer = this.#options.clock.after(nextMs - heardMs, () => {
      const { positionMs, droppedMs } = this.speech.position;
      // After a pause the next position sets the timer again.
      for (const mark of this.#marks.heard(positionMs + droppedMs)) this.#tellMark(mark, true, mark.atMs);
    });
  }

  #onEnded({ how, heardMs, droppedMs }: SpeechEnd): void {
    this.#markTimer?.cancel();
    const unreached = this.#intake.close();
    const heard = this.#marks.heard(how === 'completed' ? Infinity : heardMs + droppedMs);
    for (const mark of heard) this.#tellMark(mark, true, mark.atMs);
    for (const mark of [...this.#marks.heard(Infinity), ...unreached]) this.#tellMark(mark, false, heardMs);
  }

  #tellMark({ name, ref }: StreamMark, heard: boolean, positionMs: number): void {
    this.#marksUnderWay -= 1;
    this.#options.tell({
      type: 'mark',
      ...(ref !== undefined && { ref }),
      speech: this.speech.id,
      name,
      heard,
      positionMs: roundMs(positionMs),
    });
  }

  #onDrop(bytes: number, raw: RawFormat): void {
    const ms = (bytes / frameBytesOf(raw) / raw.sampleRateHz) * 1000;
    this.#droppedMs += ms;
    this.#options.onDropped(ms);
    const nowMs = this.#options.clock.nowMs();
    if (nowMs - this.#lastWarnedMs < WARN_EVERY_MS) return;
    this.#lastWarnedMs = nowMs;
    const { id, label } = this.speech;
    this.#options.tell({
      type: 'warning',
      time: eventTime(),
      agent: this.#options.agent.name,
      speech: id,
      message: `${label} waits for its turn: ${Math.round(this.#droppedMs)} ms of its live sound were dropped so far.`,
    });
  }
}

function frameBytesOf({ encoding, channels }: RawFormat): number {
  return bytesPerSample(encoding) * channels;
}

function liveBound(
  raw: RawFormat,
  waitMs: number,
  maxBytes: number,
): { maxBytes: number; frameBytes: number } {
  const frameBytes = frameBytesOf(raw);
  return { frameBytes, maxBytes: Math.min(maxBytes, (raw.sampleRateHz * frameBytes * waitMs) / 1000) };
}
