import { delay, type Clock } from '../base/clock.js';
import { Emitter } from '../base/emitter.js';
import { BridgeError } from '../base/errors.js';
import { samplesToMs } from '../base/units.js';
import type { SegmentMode, SegmentNeeds } from '../speech/sink.js';
import type { TimerWheel, TimerTask } from '../speech/timer-wheel.js';
import type { Connection, LinkState } from './connection.js';
import { Marks } from './marks.js';
import { Outbound } from './outbound.js';
import { Readiness } from './readiness.js';
import type { RoundTrip } from './round-trips.js';
import {
  autoLipCommand,
  closeMouthCommand,
  encodeCommand,
  encodeFrame,
  MAX_FRAME_BYTES,
  MessageReader,
  MODE_FILE,
  MODE_STREAM,
  paddingSamples,
  SEGMENT_END,
  setModelCommand,
  START_COMMAND,
  type AgentMessage,
  type WireUnit,
} from './wire.js';

/** The end of a sound comes up to so long after the agent's buffer ran out by our clock, in ms (protocol.md §4). */
const TAIL_MS = 90;

/** Each frame is put together here: it has left when the connection's `send` returns. */
const frameRoom = Buffer.allocUnsafeSlow(MAX_FRAME_BYTES);

/** The events of a link. */
export interface LinkEvents {
  message: AgentMessage;
  /** The agent's reading changed: marks came back, or it was found to have stopped. */
  reading: undefined;
  /** A mark came back. */
  mark: RoundTrip;
  lost: BridgeError;
}

/** What a link needs to know. */
export interface LinkOptions {
  readonly agentName: string;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  /** How long a model may take before a wait for it is given up, in ms. */
  readonly readyTimeoutMs: number;
  /** Set when the connection was taken over from another process. */
  readonly state?: LinkState;
}

/** One connection of an agent, from its first byte to its last: set-up, units out, messages in, marks. */
export class Link {
  readonly events = new Emitter<LinkEvents>();
  readonly connection: Connection;
  readonly outbound: Outbound;
  readonly #options: LinkOptions;
  readonly #marks: Marks;
  readonly #reader = new MessageReader();
  readonly #readiness: Readiness;
  #model: string | undefined;
  #mode: SegmentMode | undefined;
  #lips: 'avatar' | 'commands' = 'avatar';
  #gainDb = 0;
  #paused = false;
  #started = false;
  #sentSamples = 0;
  #stalled = false;
  #stallTask: TimerTask | undefined;
  #lost: BridgeError | undefined;
  #playsUntilMs = -Infinity;
  /** Nothing is spoken before then. */
  #quietAtMs = -Infinity;

  constructor(connection: Connection, options: LinkOptions) {
    this.connection = connection;
    this.#options = options;
    const { state } = options;
    this.outbound = new Outbound(connection, options.clock, options.agentName, state?.started === true);
    // Answers to the marks of another process can still be under way: none of ours may look like them.
    this.#marks = new Marks(state ? Date.now() * 100 : 1);
    this.#readiness = new Readiness({
      clock: options.clock,
      openedAtMs: connection.openedAtMs,
      timeoutMs: options.readyTimeoutMs,
      agentName: options.agentName,
      send: (line) => this.outbound.command(encodeCommand(line)),
    });
    connection.events.on('message', (bytes) => this.#onMessage(bytes));
    connection.events.on('mark', (payload) => this.#onMark(payload));
    connection.events.on('closed', (reason) => this.#onClosed(reason));
    if (state) this.#takeOver(state);
    this.#remember();
  }

  /** Why it is gone, once it is. */
  get lost(): BridgeError | undefined {
    return this.#lost;
  }

  /** The model whose lips are bound, once one is. */
  get model(): string | undefined {
    return this.#model;
  }

  get mode(): SegmentMode | undefined {
    return this.#mode;
  }

  get sentSamples(): number {
    return this.#sentSamples;
  }

  /** Samples known to have been read; undefined when the transport has no marks. */
  get readSamples(): number | undefined {
    return this.connection.canMark ? this.#marks.readSamples : undefined;
  }

  /** Monotonic ms until which the agent plays what another process has sent it; -Infinity where none has. */
  get playsUntilMs(): number {
    return this.#playsUntilMs;
  }

  /** True while a mark is overdue: the agent has stopped reading. */
  get stalled(): boolean {
    return this.#stalled;
  }

  get marks(): Marks {
    return this.#marks;
  }

  /**
   * Settles when the model is loaded, external control is on, its lips are bound and the mode is set. What has been
   * done is not done again: repeating `__AV_SETMODEL` is pointless and has crashed an agent (protocol.md §3).
   * @throws BridgeError MODEL_NOT_READY, AGENT_LOST, or the signal's reason
   */
  async prepare(
    { model, mode = 'file', lips = 'avatar' }: SegmentNeeds & { readonly model: string },
    signal?: AbortSignal,
    waiting?: (message: string) => void,
  ): Promise<void> {
    await this.#readiness.wait(model, signal, waiting);
    const quietInMs = this.#quietAtMs - this.#options.clock.nowMs();
    if (quietInMs > 0) await delay(this.#options.clock, quietInMs, signal);
    if (this.#lost) throw this.#lost;
    if (!this.#started) {
      this.outbound.command(encodeCommand(START_COMMAND));
      this.#started = true;
      this.#remember();
    }
    if (this.#model !== model) {
      this.outbound.command(encodeCommand(setModelCommand(model)));
      this.#model = model;
      this.#remember();
    }
    if (this.#mode !== mode) {
      this.outbound.command(mode === 'file' ? MODE_FILE : MODE_STREAM);
      this.#mode = mode;
      this.#remember();
    }
    if (this.#lips !== lips) {
      this.outbound.command(encodeCommand(autoLipCommand(lips === 'commands' ? 'ALWAYS' : 'NO')));
      // Switched off while they move, the lips can freeze half-open (protocol.md §4).
      if (lips === 'commands') this.outbound.command(encodeCommand(closeMouthCommand(model)));
      this.#lips = lips;
      this.#remember();
    }
  }

  /**
   * Goes on where another process was. A speech that it left is closed. Where the count of its samples is in doubt, what
   * the agent still holds is played out before anything follows: only then does it drop what is less than a block
   * (protocol.md §4), so that the next speech is whole either way.
   */
  #takeOver(state: LinkState): void {
    const { started, model, mode, lips = 'avatar' } = state;
    this.#started = started ?? false;
    this.#model = model;
    this.#mode = mode;
    this.#lips = lips;
    this.#gainDb = state.gainDb ?? 0;
    this.#paused = state.paused ?? false;
    if (model !== undefined) this.#readiness.assume(model);
    if (model !== undefined && lips === 'commands') {
      // The line that they follow goes on for as long as it is.
      this.outbound.command(encodeCommand(closeMouthCommand(model)));
    }
    this.#closeSpeech(state);
  }

  #closeSpeech({ openSamples = 0, inDoubt = false, dryAtMs = -Infinity }: LinkState): void {
    const padding = paddingSamples(openSamples);
    if (padding > 0) this.connection.send(encodeFrame(new Int16Array(padding)));
    if (openSamples > 0) this.connection.send(SEGMENT_END);
    const nowMs = this.#options.clock.nowMs();
    this.#playsUntilMs = padding > 0 ? Math.max(nowMs, dryAtMs) + samplesToMs(padding) : dryAtMs;
    if (inDoubt) this.#quietAtMs = Math.max(nowMs, this.#playsUntilMs) + TAIL_MS;
  }

  /** Keeps how the agent is set for a process that takes over: its volume, in dB, and whether it is held. */
  keep(gainDb: number, paused: boolean): void {
    if (gainDb === this.#gainDb && paused === this.#paused) return;
    this.#gainDb = gainDb;
    this.#paused = paused;
    this.#remember();
  }

  #remember(): void {
    this.connection.remember?.(this.#options.agentName, {
      started: this.#started,
      ...(this.#model !== undefined && { model: this.#model }),
      ...(this.#mode !== undefined && { mode: this.#mode }),
      lips: this.#lips,
      ...(this.#gainDb !== 0 && { gainDb: this.#gainDb }),
      ...(this.#paused && { paused: true }),
    });
  }

  /** Sends one frame of 1 to 640 samples, and a mark behind it when one is due. */
  frame(samples: Int16Array): void {
    this.#sentSamples += samples.length;
    this.#send(encodeFrame(samples, frameRoom), false);
  }

  /** Ends the segment, with a mark behind it. */
  endSegment(): void {
    this.#send(SEGMENT_END, true);
  }

  #send(unit: WireUnit, forceMark: boolean): void {
    const marks = this.connection.canMark && !this.#lost ? this.#marks : undefined;
    const mark = marks?.due(this.#sentSamples, this.#options.clock.nowMs(), forceMark);
    this.connection.send(unit, mark);
    if (mark) this.#watchMarks();
  }

  #watchMarks(): void {
    const at = this.#marks.stallAtMs;
    if (at === undefined || this.#stallTask || this.#stalled) return;
    this.#stallTask = this.#options.wheel.at(at, (nowMs) => {
      this.#stallTask = undefined;
      if (!this.#marks.stalled(nowMs)) return this.#watchMarks();
      this.#stalled = true;
      this.events.emit('reading', undefined);
    });
  }

  #onMark(payload: Uint8Array): void {
    const nowMs = this.#options.clock.nowMs();
    if (!this.#marks.answered(payload, nowMs)) return;
    // The statistics are worth their price only to somebody who looks at them.
    if (this.events.listenerCount('mark') > 0) this.events.emit('mark', this.#marks.roundTrip!);
    // After a stall several marks come back at once; only when none is overdue is the agent's reading up to date.
    if (this.#stalled && !this.#marks.stalled(nowMs)) {
      this.#stalled = false;
      this.events.emit('reading', undefined);
    }
  }

  #onMessage(bytes: Uint8Array): void {
    for (const message of this.#reader.push(bytes)) {
      this.#readiness.onMessage(message);
      this.events.emit('message', message);
    }
  }

  /** Ends this side of it: another process has the connection now. */
  detach(): void {
    this.#end(
      new BridgeError(
        'RESTARTING',
        `The connection of agent ${this.#options.agentName} has gone over to the service’s next process.`,
      ),
    );
  }

  #onClosed(reason: string): void {
    if (this.#lost) return;
    const { agentName } = this.#options;
    this.#end(new BridgeError('AGENT_LOST', `The connection of agent ${agentName} is gone: ${reason}.`));
  }

  #end(error: BridgeError): void {
    this.#lost = error;
    this.#stallTask?.cancel();
    this.outbound.close();
    this.#readiness.close(error);
    this.events.emit('lost', error);
  }
}
