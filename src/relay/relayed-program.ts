import type { Clock, Timer } from '../base/clock.js';
import type { Logger } from '../base/logger.js';
import { ThrottledWarnings } from '../base/throttled-warnings.js';
import { samplesToMs } from '../base/units.js';
import type { Agent } from '../agent/agent.js';
import type { RelayedProgramSnapshot } from '../agent/snapshot.js';
import type { SpeechStream } from '../agent/speech-stream.js';
import { ProgramReader, type ProgramUnit } from './program-reader.js';

/** Sound without a segment end is one speech until it pauses for so long, in ms. */
const PAUSE_MS = 1000;
/** The avatar buffers a minute (protocol.md §4): 16,000 samples a second of 2 bytes. */
const MAX_BUFFERED_BYTES = 60 * 16_000 * 2;
/** A program that was held back may send again when so much is left. */
const RESUME_BUFFERED_BYTES = MAX_BUFFERED_BYTES / 2;
const RAW_FORMAT = 's16le:16000:1';

/** The connection of a program that takes the bridge for an avatar. */
export interface ProgramConnection {
  /** `ws://localhost:9002/chat`, or the address of a program that connected by itself. */
  readonly name: string;
  /** Sends a line to it, with its newline. @returns false when it reads too slowly and the line was dropped */
  send(line: string): boolean;
  /** Stops reading from it: the program is held back by its own socket. */
  pause(): void;
  resume(): void;
}

/** Speaks and runs what one program sends, and tells it what the avatar says. */
export class RelayedProgram {
  readonly #agent: Agent;
  readonly #connection: ProgramConnection;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #warnings: ThrottledWarnings;
  readonly #reader = new ProgramReader();
  readonly #connectedAtMs: number;
  readonly #leave: () => void;
  #mode: 'stream' | 'file' = 'stream';
  #model: string | undefined;
  #stream: SpeechStream | undefined;
  /** The speech was ended by somebody else: the rest of its sound is dropped. */
  #dropping = false;
  #pauseTimer: Timer | undefined;
  #held = false;
  #speeches = 0;
  #refused = 0;
  #droppedSamples = 0;
  #droppedLines = 0;

  constructor(agent: Agent, connection: ProgramConnection, clock: Clock, logger: Logger) {
    this.#agent = agent;
    this.#connection = connection;
    this.#clock = clock;
    this.#logger = logger.child({ agent: agent.name, program: connection.name });
    this.#warnings = new ThrottledWarnings((message) => this.#logger.warn({}, message), clock);
    this.#connectedAtMs = clock.nowMs();
    const unsubscribe = agent.on('message', ({ text }) => this.#tell(text));
    const forget = agent.relayed(() => this.snapshot());
    this.#leave = () => {
      unsubscribe();
      forget();
    };
    this.#logger.info({}, `${agent.name}: relays ${connection.name}`);
  }

  /** What it did so far, as plain data. */
  snapshot(): RelayedProgramSnapshot {
    return {
      name: this.#connection.name,
      connectedMs: this.#clock.nowMs() - this.#connectedAtMs,
      speaking: this.#stream !== undefined,
      speeches: this.#speeches,
      refused: this.#refused,
      droppedMs: samplesToMs(this.#droppedSamples),
      droppedLines: this.#droppedLines,
    };
  }

  /** Takes bytes that it sent. @param framing see `ProgramReader.push` */
  receive(bytes: Uint8Array, framing: 'message' | 'stream'): void {
    for (const unit of this.#reader.push(bytes, framing)) this.#take(unit);
  }

  /** Its connection has ended: what it sent is spoken to its end. */
  end(): void {
    for (const unit of this.#reader.end()) this.#take(unit);
    this.#endSpeech();
    this.#leave();
    this.#logger.info(this.snapshot(), `${this.#agent.name}: ${this.#connection.name} has left`);
  }

  #take(unit: ProgramUnit): void {
    switch (unit.kind) {
      case 'command':
        return this.#command(unit.line);
      case 'sound':
        return this.#sound(unit.bytes);
      case 'mode':
        if (unit.mode === 'file') this.#endSpeech();
        this.#mode = unit.mode;
        return this.#watchPause();
      case 'segment-end':
        return this.#endSpeech();
      case 'refused':
        return this.#refuse(`${unit.reason}: it was not sent`);
    }
  }

  #command(line: string): void {
    if (line === '__AV_START' || line === '__AV_END') {
      // The bridge keeps the avatar's control on: the program is answered as the avatar would.
      this.#tell(`AVATAR|${line.slice('__AV_'.length)}`);
      return;
    }
    if (line.startsWith('__AV_SETMODEL,')) {
      const model = line.slice('__AV_SETMODEL,'.length);
      if (model !== this.#model) this.#endSpeech();
      this.#model = model;
      return;
    }
    this.#agent
      .send(line, { relayed: true })
      .catch((error: unknown) => this.#refuse(error instanceof Error ? error.message : String(error)));
  }

  #sound(bytes: Uint8Array): void {
    if (!this.#dropping) this.#stream ??= this.#open();
    this.#watchPause();
    const stream = this.#stream;
    if (!stream || this.#dropping) {
      this.#droppedSamples += bytes.length / 2;
      return;
    }
    stream.write(Buffer.from(bytes), () => this.#flow(stream));
    this.#flow(stream);
  }

  #open(): SpeechStream | undefined {
    try {
      const stream = this.#agent.createSpeechStream({
        format: RAW_FORMAT,
        label: this.#connection.name,
        model: this.#model,
      });
      this.#speeches += 1;
      // Whatever ends the speech early destroys the stream: the speech itself tells why.
      stream.on('error', () => undefined);
      void stream.speech.finished.then((end) => {
        if (this.#stream !== stream) return;
        this.#dropping = true;
        this.#stream = undefined;
        this.#flow(stream);
        this.#refuse(`its speech ended early (${end.how}); the rest of its sound is dropped`);
      });
      return stream;
    } catch (error) {
      this.#dropping = true;
      this.#refuse(`its sound is dropped: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    }
  }

  /** Ends the speech after its last sample; the next sound begins another one. */
  #endSpeech(): void {
    this.#pauseTimer?.cancel();
    this.#pauseTimer = undefined;
    this.#dropping = false;
    this.#stream?.end();
    this.#stream = undefined;
    if (this.#held) this.#release();
  }

  /** In stream mode a speech ends when its sound pauses; a program that is held back does not pause by itself. */
  #watchPause(): void {
    this.#pauseTimer?.cancel();
    this.#pauseTimer = undefined;
    const open = this.#stream !== undefined || this.#dropping;
    if (this.#mode === 'file' || !open || this.#held) return;
    this.#pauseTimer = this.#clock.after(PAUSE_MS, () => this.#endSpeech());
  }

  /** Holds the program back while a minute of its sound waits. */
  #flow(stream: SpeechStream): void {
    const bytes = stream === this.#stream ? stream.writableLength : 0;
    if (!this.#held && bytes > MAX_BUFFERED_BYTES) {
      this.#held = true;
      this.#pauseTimer?.cancel();
      this.#connection.pause();
    } else if (this.#held && bytes <= RESUME_BUFFERED_BYTES) {
      this.#release();
      this.#watchPause();
    }
  }

  #release(): void {
    this.#held = false;
    this.#connection.resume();
  }

  #tell(text: string): void {
    if (this.#connection.send(text)) return;
    this.#droppedLines += 1;
    this.#warnings.say(`${this.#connection.name} reads too slowly: a message of the avatar was dropped`);
  }

  #refuse(reason: string): void {
    this.#refused += 1;
    this.#warnings.say(`${this.#connection.name}: ${reason}`);
    this.#agent.relayRefused(this.#connection.name, reason);
  }
}
