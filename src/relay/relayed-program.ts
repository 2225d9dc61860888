import type { Clock, Timer } from '../base/clock.js';
import type { Logger } from '../base/logger.js';
import { ThrottledWarnings } from '../base/throttled-warnings.js';
import { samplesToMs } from '../base/units.js';
import type { Agent } from '../agent/agent.js';
import type { RelayedProgramSnapshot } from '../agent/snapshot.js';
import type { SpeechStream } from '../agent/speech-stream.js';
import { ProgramReader, type ProgramUnit } from './program-reader.js';

/** Pause that ends a speech when no segment end was sent, in ms. */
const PAUSE_MS = 1000;
/**
 * Maximum buffered sound, in bytes: the avatar buffers a minute (protocol.md §4), 16,000 samples a second of
 * 2 bytes.
 */
const MAX_BUFFERED_BYTES = 60 * 16_000 * 2;
/** Buffered bytes at which a paused program may send again. */
const RESUME_BUFFERED_BYTES = MAX_BUFFERED_BYTES / 2;
const RAW_FORMAT = 's16le:16000:1';

/** Connection of a program that uses the bridge in place of an avatar. */
export interface ProgramConnection {
  /** `ws://localhost:9002/chat`, or the address of a program that connected itself. */
  readonly name: string;
  /**
   * Sends a line with its newline. @returns false when the program reads too slowly and the line was dropped
   */
  send(line: string): boolean;
  /** Stops reading, so that the program's own socket blocks. */
  pause(): void;
  resume(): void;
}

/** Plays the sound and runs the commands of one program, and sends it the avatar's messages. */
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
  /** True after another caller ended the speech: the rest of its sound is dropped. */
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

  /** Returns the state and counters as plain data. */
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

  /** Takes bytes from the program. @param framing see `ProgramReader.push` */
  receive(bytes: Uint8Array, framing: 'message' | 'stream'): void {
    for (const unit of this.#reader.push(bytes, framing)) this.#take(unit);
  }

  /** Handles the end of the connection: the sound already sent is played to its end. */
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
      // The bridge keeps the avatar's external control on, so it answers the program as the avatar would.
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
      // A speech that ends early destroys the stream; the speech itself carries the reason.
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

  /** Ends the speech after its last sample; the next sound starts a new speech. */
  #endSpeech(): void {
    this.#pauseTimer?.cancel();
    this.#pauseTimer = undefined;
    this.#dropping = false;
    this.#stream?.end();
    this.#stream = undefined;
    if (this.#held) this.#release();
  }

  /**
   * Ends the speech when the sound pauses in stream mode. A program that is held back does not count as
   * paused.
   */
  #watchPause(): void {
    this.#pauseTimer?.cancel();
    this.#pauseTimer = undefined;
    const open = this.#stream !== undefined || this.#dropping;
    if (this.#mode === 'file' || !open || this.#held) return;
    this.#pauseTimer = this.#clock.after(PAUSE_MS, () => this.#endSpeech());
  }

  /** Holds the program back while a minute of its sound is buffered. */
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
