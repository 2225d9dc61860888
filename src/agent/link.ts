import { FIRST_SEND_DELAY_MS, paddingSamples, TAIL_MS } from '../base/avatar.js';
import { delay, type Clock, type Timer } from '../base/clock.js';
import { Emitter } from '../base/emitter.js';
import { BridgeError } from '../base/errors.js';
import { samplesToMs } from '../base/units.js';
import type { SegmentMode, SegmentNeeds } from '../speech/sink.js';
import type { TimerWheel, TimerTask } from '../speech/timer-wheel.js';
import type { Connection, LinkState, RoundTrip } from './connection.js';
import { Readiness } from './readiness.js';
import {
  AUTO_LIP_OFF,
  autoLipCommand,
  closeMouthCommand,
  encodeCommand,
  encodeFrame,
  END_COMMAND,
  MessageReader,
  MODE_FILE,
  MODE_STREAM,
  SEGMENT_END,
  SET_MODEL,
  setModelCommand,
  START_COMMAND,
  type AgentMessage,
  type WireUnit,
} from './wire.js';

/** Maximum number of units queued until sending is safe. */
const MAX_EARLY = 1000;
/** Delay of a timer, in ms, that counts as a stall, possibly of the whole machine: the agent may have stalled as well. */
const STALL_MS = 25;
/** Maximum number of waits; a machine that stalls at each of them will not recover by another one. */
const MAX_WAITS = 4;
/** Maximum bytes queued for an agent that has stopped reading before commands are refused. */
const MAX_UNSENT_BYTES = 1_000_000;

/** Interval of the probes of an idle agent, in ms: a silently lost agent is noticed within a minute. */
const IDLE_PROBE_MS = 20_000;
/** Time within which a connection taken over from another process must answer, in ms; else it cannot be read here. */
const TAKEN_OVER_ANSWER_MS = 2000;

/** Maximum bytes of owed commands kept for a process that takes over: its facts have little room. */
const MAX_OWED_BYTES = 1000;

/** The events of a link. */
export interface LinkEvents {
  message: AgentMessage;
  /** The agent has stopped reading, or reads again. */
  reading: undefined;
  /** The agent has acknowledged data. */
  roundTrip: RoundTrip;
  /** The model whose lips are bound was deleted: further sound is dropped by the avatar. The open segment is closed. */
  modelGone: BridgeError;
  /** The connection was taken over from another process, and nothing has been read from it since. */
  unanswered: undefined;
  lost: BridgeError;
}

/** Options of a link. */
export interface LinkOptions {
  readonly agentName: string;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  /** Maximum loading time of a model before a wait for it is given up, in ms. */
  readonly readyTimeoutMs: number;
  /** Minimum time between connecting and the first sound, in ms, unless the avatar reports that its device is open. */
  readonly firstSoundMs: number;
  /** Set when the connection was taken over from another process. */
  readonly state?: LinkState | undefined;
}

/**
 * One connection of an agent, from its first byte to its last: set-up, outgoing units in one order, incoming messages,
 * and stall detection.
 */
export class Link {
  readonly events = new Emitter<LinkEvents>();
  readonly connection: Connection;
  readonly #options: LinkOptions;
  readonly #reader: MessageReader;
  readonly #readiness: Readiness;
  readonly #offs: readonly (() => void)[];
  #model: string | undefined;
  #mode: SegmentMode | undefined;
  #lips: 'avatar' | 'commands' = 'avatar';
  #gainDb = 0;
  #paused = false;
  #owed: string[] = [];
  #started = false;
  /** Samples sent since the last segment end. */
  #openSamples = 0;
  /** True when the lips were bound to a model that is not known to be loaded. */
  #boundUnseen = false;
  /** Units queued until sending is safe; undefined from then on. */
  #early: WireUnit[] | undefined = [];
  #earlyTimer: Timer | undefined;
  #idleTimer: Timer | undefined;
  #answerTimer: Timer | undefined;
  #unanswered = false;
  /** Settles when data has arrived on a connection that was taken over. */
  #firstAnswer: Promise<void> | undefined;
  #onFirstAnswer: (() => void) | undefined;
  #stalled = false;
  #stallTask: TimerTask | undefined;
  #lost: BridgeError | undefined;
  #playsUntilMs = -Infinity;
  /** Monotonic ms before which nothing may be spoken. */
  #quietAtMs = -Infinity;

  constructor(connection: Connection, options: LinkOptions) {
    this.connection = connection;
    this.#options = options;
    const { state } = options;
    const firstSendMs = connection.openedAtMs + FIRST_SEND_DELAY_MS;
    if (state?.started === true || firstSendMs <= options.clock.nowMs()) this.#early = undefined;
    else this.#sendEarlyAt(firstSendMs);
    this.#readiness = new Readiness({
      clock: options.clock,
      openedAtMs: connection.openedAtMs,
      firstSoundMs: options.firstSoundMs,
      timeoutMs: options.readyTimeoutMs,
      agentName: options.agentName,
      send: (line) => this.send(encodeCommand(line)),
    });
    this.#reader = new MessageReader({
      framing: connection.transport === 'tcp' ? 'stream' : 'messages',
    });
    this.#offs = [
      connection.events.on('message', (bytes) => this.#onMessage(bytes)),
      connection.events.on('acknowledged', () => this.#onAcknowledged()),
      connection.events.on('closed', (reason) => this.#onClosed(reason)),
    ];
    if (state) this.#takeOver(state);
    this.#remember();
    this.#watchIdle();
  }

  /** Reason of the loss, once lost. */
  get lost(): BridgeError | undefined {
    return this.#lost;
  }

  /** Model whose lips are bound, if any. */
  get model(): string | undefined {
    return this.#model;
  }

  get mode(): SegmentMode | undefined {
    return this.#mode;
  }

  /** Monotonic ms until which the agent plays audio that is not counted here; -Infinity when there is none. */
  get playsUntilMs(): number {
    return this.#playsUntilMs;
  }

  /**
   * Delays further sound until the agent has played all it holds. It may hold part of a block, which it drops only when
   * it has run dry (protocol.md §4).
   * @param atMs monotonic
   */
  playOut(atMs: number): void {
    this.#playsUntilMs = atMs;
    this.#quietAtMs = atMs + TAIL_MS;
  }

  /**
   * True for a connection that was taken over from another process and on which nothing has been received since. Sound
   * sent to it may or may not be played.
   */
  get unanswered(): boolean {
    return this.#unanswered;
  }

  /** True while an acknowledgement is overdue: the agent has stopped reading. */
  get stalled(): boolean {
    return this.#stalled;
  }

  /**
   * Sends a unit. Everything for the agent passes here, in one order: commands leave at once, between two frames. Only in
   * the first moments of a connection they wait, because the agent would not see them (protocol.md §1).
   * @throws BridgeError AGENT_STALLED for a command when too much already waits for an agent that does not read
   */
  send(unit: WireUnit): void {
    if (this.#lost) return;
    const { connection } = this;
    this.#follow(unit);
    if (this.#early) {
      if (unit.kind === 'command' && this.#early.length >= MAX_EARLY)
        throw this.#full(`${MAX_EARLY} commands`);
      this.#early.push(unit.copy());
      return;
    }
    if (unit.kind === 'command' && connection.unsentBytes > MAX_UNSENT_BYTES)
      throw this.#full(`${connection.unsentBytes} bytes`);
    connection.send(unit);
    if (!this.#stallTask) this.#watchReading();
  }

  /** Updates the known state of the avatar from a sent unit, whoever sent it. */
  #follow({ kind, samples, line }: WireUnit): void {
    if (kind === 'frame') return void (this.#openSamples += samples.length);
    if (kind === 'segment-end') return void (this.#openSamples = 0);
    if (line === 'SNDFILE') this.#mode = 'file';
    else if (line === 'SNDSTRM') this.#mode = 'stream';
    else if (line === START_COMMAND) this.#started = true;
    else if (line === END_COMMAND) this.#started = false;
    else if (line.startsWith(AUTO_LIP_OFF)) this.#lips = line.endsWith('ALWAYS') ? 'commands' : 'avatar';
    else if (line.startsWith(SET_MODEL)) {
      this.#model = line.slice(SET_MODEL.length);
      this.#boundUnseen = !this.#readiness.isReady(this.#model);
    } else return;
    this.#remember();
  }

  /**
   * `confirmed` when the avatar itself has reported that its sound device is open and its bound model is loaded.
   * `assumed` without its log, where the device is only assumed to be open.
   */
  get hearing(): 'confirmed' | 'assumed' {
    if (this.#unanswered || this.#boundUnseen) return 'assumed';
    return this.#readiness.soundConfirmed ? 'confirmed' : 'assumed';
  }

  #sendEarlyAt(atMs: number, waits = 1): void {
    const { clock } = this.#options;
    this.#earlyTimer = clock.after(atMs - clock.nowMs(), () => {
      const nowMs = clock.nowMs();
      if (nowMs - atMs > STALL_MS && waits < MAX_WAITS)
        return this.#sendEarlyAt(nowMs + FIRST_SEND_DELAY_MS, waits + 1);
      const early = this.#early ?? [];
      this.#early = undefined;
      for (const unit of early) this.connection.send(unit);
    });
  }

  #full(amount: string): BridgeError {
    return new BridgeError(
      'AGENT_STALLED',
      `${amount} wait already for agent ${this.#options.agentName}; the command was not sent.`,
    );
  }

  /**
   * Settles when the model is loaded, external control is on, its lips are bound and the mode is set. Completed steps are
   * not repeated: repeating `__AV_SETMODEL` is pointless and has crashed an agent (protocol.md §3).
   * @throws BridgeError MODEL_NOT_READY, AGENT_LOST, or the signal's reason
   */
  async prepare(
    { model, mode = 'file', lips = 'avatar' }: SegmentNeeds & { readonly model: string },
    signal?: AbortSignal,
    waiting?: (message: string) => void,
  ): Promise<void> {
    await this.#waitForAnswer(signal);
    await this.#readiness.wait(model, signal, waiting);
    const quietInMs = this.#quietAtMs - this.#options.clock.nowMs();
    if (quietInMs > 0) await delay(this.#options.clock, quietInMs, signal);
    if (this.#lost) throw this.#lost;
    if (!this.#started) this.send(encodeCommand(START_COMMAND));
    if (this.#model !== model) this.send(encodeCommand(setModelCommand(model)));
    if (this.#mode !== mode) this.send(mode === 'file' ? MODE_FILE : MODE_STREAM);
    if (this.#lips !== lips) {
      this.send(encodeCommand(autoLipCommand(lips === 'commands' ? 'ALWAYS' : 'NO')));
      // When switched off during movement, the lips can freeze half-open (protocol.md §4).
      if (lips === 'commands') this.send(encodeCommand(closeMouthCommand(model)));
    }
  }

  /**
   * Continues for another process. A segment that it left open is closed. When the sample count is in doubt, nothing is
   * sent until the agent has played all it holds: only then does it drop a partial block (protocol.md §4), so that the
   * next speech is whole either way.
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
      // A LIPSYNC line of the process before would continue to its end.
      this.send(encodeCommand(closeMouthCommand(model)));
    }
    this.#closeSpeech(state);
    for (const line of state.owed ?? []) this.send(encodeCommand(line));
    this.#awaitAnswer();
  }

  /** Checks that messages of the agent arrive here at all. */
  #awaitAnswer(): void {
    const { connection } = this;
    if (!connection.probe) return;
    this.#firstAnswer = new Promise((resolve) => (this.#onFirstAnswer = resolve));
    connection.probe();
    this.#watchReading();
    this.#answerTimer = this.#options.clock.after(TAKEN_OVER_ANSWER_MS, () => {
      this.#unanswered = true;
      this.events.emit('unanswered', undefined);
    });
  }

  #answered(): void {
    if (!this.#onFirstAnswer) return;
    this.#answerTimer?.cancel();
    this.#unanswered = false;
    this.#onFirstAnswer();
    this.#onFirstAnswer = undefined;
  }

  /** @throws BridgeError AGENT_STALLED when nothing comes in time, AGENT_LOST, or the signal's reason */
  async #waitForAnswer(signal: AbortSignal | undefined): Promise<void> {
    if (!this.#onFirstAnswer) return;
    const { clock, readyTimeoutMs, agentName } = this.#options;
    const answered = new AbortController();
    const timeout = delay(clock, readyTimeoutMs, anySignal(signal, answered.signal)).then(() => {
      throw new BridgeError(
        'AGENT_STALLED',
        `Nothing has come from agent ${agentName} since its connection was taken over from another process.`,
      );
    });
    try {
      await Promise.race([this.#firstAnswer, timeout]);
    } finally {
      timeout.catch(() => undefined);
      answered.abort();
    }
  }

  #watchIdle(): void {
    const { connection } = this;
    // Over TCP a probe is a text line, and each one would end the avatar's own idle time; TCP keep-alive checks those.
    if (!connection.probe || connection.transport === 'tcp') return;
    this.#idleTimer = this.#options.clock.after(IDLE_PROBE_MS, () => {
      if (connection.acks.overdueAtMs === undefined) connection.probe?.();
      this.#watchReading();
      this.#watchIdle();
    });
  }

  #closeSpeech({ openSamples = 0, inDoubt = false, dryAtMs = -Infinity }: LinkState): void {
    const padding = this.#closeSegment(openSamples);
    const nowMs = this.#options.clock.nowMs();
    this.#playsUntilMs = padding > 0 ? Math.max(nowMs, dryAtMs) + samplesToMs(padding) : dryAtMs;
    if (inDoubt) this.playOut(Math.max(nowMs, this.#playsUntilMs));
  }

  /** @returns samples of silence that completed its last block */
  #closeSegment(openSamples: number): number {
    const padding = paddingSamples(openSamples);
    if (padding > 0) this.send(encodeFrame(new Int16Array(padding)));
    if (openSamples > 0) this.send(SEGMENT_END);
    return padding;
  }

  /** Stores the agent's gain in dB and its pause state for a process that takes over. */
  keep(gainDb: number, paused: boolean): void {
    if (gainDb === this.#gainDb && paused === this.#paused) return;
    this.#gainDb = gainDb;
    this.#paused = paused;
    this.#remember();
  }

  /**
   * Keeps the commands that a process which takes over has to send in the place of this one, at once.
   * @param lines what does not fit is left out
   */
  owe(lines: readonly string[]): void {
    const before = this.#owed.join('\n');
    this.#owed = [];
    let bytes = 0;
    for (const line of lines) {
      bytes += Buffer.byteLength(line);
      if (bytes <= MAX_OWED_BYTES) this.#owed.push(line);
    }
    if (this.#owed.join('\n') !== before) this.#remember();
  }

  get #state(): LinkState {
    return {
      started: this.#started,
      model: this.#model,
      mode: this.#mode,
      lips: this.#lips,
      gainDb: this.#gainDb,
      paused: this.#paused,
      owed: this.#owed.length > 0 ? this.#owed : undefined,
    };
  }

  #remember(): void {
    this.connection.remember?.(this.#options.agentName, this.#state);
  }

  #watchReading(): void {
    const { acks } = this.connection;
    if (acks.overdueAtMs === undefined || this.#stalled || this.#stallTask) return;
    this.#watchReadingAt(acks.overdueAtMs);
  }

  #watchReadingAt(atMs: number): void {
    const { acks } = this.connection;
    this.#stallTask = this.#options.wheel.at(atMs, (nowMs) => {
      this.#stallTask = undefined;
      if (acks.overdueAtMs === undefined || nowMs < acks.overdueAtMs) return this.#watchReading();
      // This process itself stalled: the answer may have arrived without having been read yet.
      if (nowMs - atMs > STALL_MS) return this.#watchReadingAt(nowMs + STALL_MS);
      this.#stalled = true;
      this.events.emit('reading', undefined);
    });
  }

  #onAcknowledged(): void {
    this.#answered();
    const { overdueAtMs, roundTrip } = this.connection.acks;
    // The statistics are costly, so they are made only for listeners.
    if (this.events.listenerCount('roundTrip') > 0) this.events.emit('roundTrip', roundTrip!);
    // After a stall several arrive at once; the agent reads again only when none is overdue.
    if (!this.#stalled || (overdueAtMs !== undefined && this.#options.clock.nowMs() >= overdueAtMs)) return;
    this.#stalled = false;
    this.events.emit('reading', undefined);
  }

  #onMessage(bytes: Uint8Array): void {
    this.#answered();
    for (const message of this.#reader.push(bytes)) {
      if (this.connection.takeEcho?.(message)) continue;
      const gone = this.#readiness.onMessage(message);
      if (message.text === 'AVATAR|START' || message.text === 'AVATAR|END')
        this.#started = message.text === 'AVATAR|START';
      // The log repeats a message when a module of the avatar acts on it.
      if (message.log?.level !== 'Captured') this.events.emit('message', message);
      if (gone !== undefined && gone === this.#model) this.#onModelGone(gone);
    }
  }

  #onModelGone(alias: string): void {
    this.#model = undefined;
    this.#closeSegment(this.#openSamples);
    this.#remember();
    const { agentName } = this.#options;
    this.events.emit(
      'modelGone',
      new BridgeError('MODEL_GONE', `Agent ${agentName} has deleted its model ${alias}; sound is dropped.`),
    );
  }

  /** Stops using the connection: another process has it now. */
  detach(): void {
    this.#end(
      new BridgeError(
        'RESTARTING',
        `The connection of agent ${this.#options.agentName} has gone over to the service’s next process.`,
      ),
    );
  }

  /** Stops using the connection: another agent has it now. @returns its set-up */
  giveUp(newName: string): LinkState {
    const { agentName } = this.#options;
    const dryAtMs = this.#playsUntilMs;
    this.#end(
      new BridgeError('AGENT_LOST', `Agent ${agentName} does not answer; its connection is ${newName} now.`),
    );
    return { ...this.#state, openSamples: this.#openSamples, inDoubt: true, dryAtMs };
  }

  #onClosed(reason: string): void {
    if (this.#lost) return;
    const { agentName } = this.#options;
    this.#end(new BridgeError('AGENT_LOST', `The connection of agent ${agentName} is gone: ${reason}.`));
  }

  #end(error: BridgeError): void {
    this.#lost = error;
    for (const off of this.#offs) off();
    this.#stallTask?.cancel();
    this.#earlyTimer?.cancel();
    this.#idleTimer?.cancel();
    this.#answerTimer?.cancel();
    this.#onFirstAnswer?.();
    this.#early = undefined;
    this.#readiness.close(error);
    this.events.emit('lost', error);
  }
}

function anySignal(given: AbortSignal | undefined, own: AbortSignal): AbortSignal {
  return given ? AbortSignal.any([given, own]) : own;
}
