import { Emitter, type Listenable } from '../base/emitter.js';
import { BridgeError } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import type { SoundInput, SoundInputOptions } from '../audio/input.js';
import { liveSound } from '../audio/live-sound.js';
import { AdaptiveLead } from '../speech/lead.js';
import { Player } from '../speech/player.js';
import type { Interruption } from '../speech/player-context.js';
import type { Speech, SpeechOptions } from '../speech/speech.js';
import type { AgentEvents } from './agent-events.js';
import { AgentSink } from './agent-sink.js';
import type { Connection, LinkState, RoundTrip } from './connection.js';
import { Link } from './link.js';
import { classify } from './messages.js';
import { request } from './request.js';
import type { SayOptions, SayText } from './say.js';
import type { AgentSettings } from './settings.js';
import {
  speechSnapshot,
  type AgentSnapshot,
  type AgentState,
  type RelayedProgramSnapshot,
} from './snapshot.js';
import { SpeechStream } from './speech-stream.js';
import type { AgentMessage } from './wire.js';

/** Interrupts an agent in the process that hands it over. @throws BridgeError RESTARTING without an answer */
export type InterruptThere = (options?: { fadeMs?: number | undefined }) => Promise<Interruption>;

/** Minimum time that a connected agent that has stopped reading is given to read again, in ms. */
const MIN_STALL_TIMEOUT_MS = 10_000;

/**
 * One avatar, by name. It outlives its connections: speeches can be requested before the avatar is connected, and
 * continue with the next avatar of that name after a loss.
 */
export class Agent implements Listenable<AgentEvents> {
  readonly name: string;
  readonly #settings: AgentSettings;
  readonly #logger: Logger;
  readonly #events: Emitter<AgentEvents>;
  readonly #player: Player;
  readonly #autoLead = new AdaptiveLead();
  readonly #sink: AgentSink;
  /** Programs that use the bridge as this avatar. */
  readonly #relayed = new Set<() => RelayedProgramSnapshot>();
  #ready = false;
  /** Monotonic ms until which its connection is expected from another process. */
  #expectedUntilMs = -Infinity;
  /** Interrupts it in the process that hands it over. */
  #interruptThere: InterruptThere | undefined;
  /** Reason why no more speeches are accepted. */
  #refusal: BridgeError | undefined;

  /** Called by the bridge only. */
  constructor(name: string, settings: AgentSettings) {
    this.name = name;
    this.#settings = settings;
    this.#logger = settings.logger.child({ agent: name });
    this.#events = new Emitter((error, event) =>
      this.#logger.error({ error: String(error), event }, 'a listener of an agent event threw'),
    );
    this.#sink = new AgentSink({
      agentName: name,
      settings,
      logger: this.#logger,
      onPrepared: (link) => this.#onReady(link),
      onCommand: (line) => this.#events.emit('command', { line, relayed: false }),
    });
    this.#player = new Player({
      agentName: name,
      sink: this.#sink,
      wheel: settings.wheel,
      clock: settings.clock,
      logger: this.#logger,
      frameMs: settings.frameMs,
      lead: settings.leadMs === 'auto' ? this.#autoLead : settings.leadMs,
      autoLead: this.#autoLead,
      maxQueued: settings.maxQueued,
      budget: settings.budget,
      bufferMs: settings.bufferMs,
      stallTimeoutMs: Math.max(settings.agentTimeoutMs, MIN_STALL_TIMEOUT_MS),
      checkCommand: (line) => this.checkCommand(line),
      nextId: () => settings.nextSpeechId(),
    });
    this.#player.on('speech', (speech) => this.#events.emit('speech', speech));
    this.#player.on('gap', (gap) => this.#events.emit('gap', gap));
  }

  get state(): AgentState {
    if (!this.#link) return this.handover ? 'connected' : 'absent';
    return this.#ready ? 'ready' : 'connected';
  }

  /** True during a planned restart while its connection is still with the previous process; its name is taken. */
  get handover(): boolean {
    return this.#link === undefined && this.#expectedUntilMs > this.#settings.clock.nowMs();
  }

  /** True while it has work or a caller waits for it; it must not be forgotten then. */
  get inUse(): boolean {
    return this.#player.busy || this.#sink.waiting > 0 || this.handover;
  }

  /** True while it is connected and has stopped reading. */
  get stalled(): boolean {
    return this.#sink.stalled;
  }

  /** Totals sent over all its connections: frames, the samples in them at 16 kHz, and commands. */
  get sent(): Readonly<{ frames: number; samples: number; commands: number }> {
    return this.#sink.sent;
  }

  /** Round trip of its marks; undefined before the first one came back. */
  get roundTrip(): RoundTrip | undefined {
    return this.#link?.connection.acks.roundTrip;
  }

  /** Player, for the bridge's own measurements. @internal */
  get player(): Player {
    return this.#player;
  }

  /** Subscribes; the returned function ends it. */
  on<Name extends keyof AgentEvents>(
    event: Name,
    listener: (payload: AgentEvents[Name]) => void,
  ): () => void {
    return this.#events.on(event, listener);
  }

  /** Subscribes to the next event of that name; the returned function ends it. */
  once<Name extends keyof AgentEvents>(
    event: Name,
    listener: (payload: AgentEvents[Name]) => void,
  ): () => void {
    return this.#events.once(event, listener);
  }

  /** Ends a subscription of `on` or `once`. */
  off<Name extends keyof AgentEvents>(event: Name, listener: (payload: AgentEvents[Name]) => void): void {
    this.#events.off(event, listener);
  }

  /**
   * Speaks a sound after those already queued. Returns at once; the speech's `started` and `finished` report the rest.
   * While the agent is absent, the speech waits for it.
   * @throws BridgeError QUEUE_FULL, AGENT_BUSY, CLOSED, OPTION_INVALID, COMMAND_INVALID or COMMAND_DANGEROUS (a cue)
   */
  speak(input: SoundInput, options: SpeechOptions & SoundInputOptions = {}): Speech {
    this.#admit(options);
    return this.#player.speak(this.#settings.openSound(input, options), options);
  }

  /**
   * Speaks a live sound, which arrives in its own time and cannot wait. When it arrives too fast, the oldest part is
   * dropped and counted. The source's clock is followed, so that no backlog or gap builds up over hours.
   * @throws as `speak`
   */
  live(input: SoundInput, options: SpeechOptions & SoundInputOptions = {}): Speech {
    this.#admit(options);
    return this.#player.speak(liveSound(this.#settings.openSound(input, options), options), options);
  }

  /**
   * Speaks a text, whole or while it is being written: the first sentence sounds while later ones are still written.
   * @param text a string, or the pieces of a text as a language model produces them, with tags between them
   * @returns the speech; its sound fails with TEXT_EMPTY when there is nothing to say, or with the engine's error
   * @throws BridgeError ENGINE_UNKNOWN, ENGINE_KEY_MISSING, OPTION_INVALID, or as `speak`
   */
  say(text: SayText, options: SayOptions = {}): Speech {
    const spoken = this.#settings.narrator.prepare(text, options);
    const speech = this.speak(spoken.sound, spoken.options);
    spoken.follow(speech, (line) => this.send(line));
    return speech;
  }

  /**
   * Returns a stream to write a sound into as it is made, with backpressure at the avatar's speed. Its `speech` is the
   * handle. Ending the stream ends the speech after its last sample; destroying it stops the speech.
   * @param options.format headerless data, such as `s16le:24000:1`; without it the format is recognised
   * @throws as `speak`
   */
  createSpeechStream(options: SpeechOptions & SoundInputOptions = {}): SpeechStream {
    return new SpeechStream((bytes) => this.speak(bytes, options));
  }

  /**
   * Sends a text command, `TYPE|arg|…`, without a newline. Resolves when it was sent.
   * @param options.waitMs maximum wait for an absent agent, in ms; default 0
   * @param options.relayed true when a program that uses the bridge as the avatar sent it: its SYNTH_START is answered like
   * one of the avatar's own content
   * @throws BridgeError COMMAND_INVALID, COMMAND_DANGEROUS, AGENT_ABSENT, AGENT_STALLED or RESTARTING
   */
  async send(
    line: string,
    options: {
      waitMs?: number | undefined;
      signal?: AbortSignal | undefined;
      relayed?: boolean | undefined;
    } = {},
  ): Promise<void> {
    const unit = this.#sink.encode(line);
    const { waitMs = 0, signal, relayed = false } = options;
    if (waitMs === 0) this.#refuseHandover();
    await this.#sink.send(unit, waitMs, signal);
    this.#events.emit('command', { line, relayed });
  }

  /** @internal Sends a command of the bridge's own without the danger check; while the agent is absent it is left out. */
  issue(line: string): void {
    this.#sink.issue(line);
  }

  /**
   * Sends a command and waits for the avatar's answer: `MODEL_ADD|x|…` is answered by `MODEL_EVENT_ADD|x`. A command
   * without a known answer is answered by its own echo.
   * @param options.timeoutMs maximum wait, in ms; default 5,000
   * @returns the answer
   * @throws BridgeError TIMEOUT, AGENT_LOST, or as `send`
   */
  request(
    line: string,
    options: { timeoutMs?: number | undefined; signal?: AbortSignal | undefined } = {},
  ): Promise<AgentMessage> {
    return request(this, this.#settings.clock, line, options);
  }

  /**
   * Replaces a model by another one of the same alias: deletes it, waits until it is gone, and adds the new one. A speech
   * that is playing ends with MODEL_GONE; later speeches wait for the new model.
   * @param file path of the model file on the avatar's machine
   * @param options.position `x,y,z`, as MODEL_ADD takes it
   * @param options.rotation `rx,ry,rz` in degrees, as MODEL_ADD takes it
   * @param options.timeoutMs maximum time for each of the two steps, in ms; default 10,000
   * @throws BridgeError TIMEOUT, AGENT_LOST, or as `send`
   */
  async replaceModel(
    alias: string,
    file: string,
    options: {
      position?: string | undefined;
      rotation?: string | undefined;
      timeoutMs?: number | undefined;
    } = {},
  ): Promise<void> {
    const { position, rotation, timeoutMs = 10_000 } = options;
    const place = rotation === undefined ? [position] : [position ?? '0,0,0', rotation];
    const add = ['MODEL_ADD', alias, file, ...place.filter((part) => part !== undefined)].join('|');
    this.checkCommand(add);
    await this.request(`MODEL_DELETE|${alias}`, { timeoutMs });
    await this.request(add, { timeoutMs });
  }

  /**
   * Checks a command without sending it.
   * @throws BridgeError COMMAND_INVALID or COMMAND_DANGEROUS
   */
  checkCommand(line: string): void {
    this.#sink.encode(line);
  }

  /** Settles when its model is loaded and can speak. @throws BridgeError AGENT_ABSENT or MODEL_NOT_READY */
  async whenReady(
    options: { model?: string | undefined; signal?: AbortSignal | undefined } = {},
  ): Promise<void> {
    await this.#sink.prepare(
      options.model === undefined ? {} : { model: options.model },
      options.signal ?? new AbortController().signal,
      () => undefined,
    );
  }

  /** Ends the current speech and drops the queue; audio that the agent already holds still sounds. See `Player.interrupt`. */
  async interrupt(options: { fadeMs?: number | undefined } = {}): Promise<Interruption> {
    const there = this.handover ? this.#interruptThere?.(options) : undefined;
    const [here, ended] = await Promise.all([this.#player.interrupt(options), there]);
    return ended ? { heardMs: ended.heardMs, dropped: ended.dropped + here.dropped } : here;
  }

  /** Pauses the speech. @throws BridgeError RESTARTING */
  pause(): void {
    this.#refuseHandover();
    this.#player.pause();
    this.#keep();
  }

  /** Continues after `pause()`. @throws BridgeError RESTARTING */
  resume(): void {
    this.#refuseHandover();
    this.#player.resume();
    this.#keep();
  }

  /** Sets the gain from now on, without a click. @param gainDb in dB; 0 is unchanged @throws BridgeError RESTARTING */
  setGainDb(gainDb: number): void {
    this.#refuseHandover();
    this.#player.setGainDb(gainDb);
    this.#keep();
  }

  /** Every speech that has not ended, in playing order. */
  get speeches(): Speech[] {
    return this.#player.speeches;
  }

  /** Current state, as plain data. */
  snapshot(): AgentSnapshot {
    const link = this.#link;
    return {
      name: this.name,
      state: this.state,
      handover: this.handover,
      model: link?.model ?? this.#settings.model,
      remote: link?.connection.remote,
      transport: link?.connection.transport,
      connectedMs: link && this.#settings.clock.nowMs() - link.connection.openedAtMs,
      speaking: this.#player.current !== undefined && this.#player.current.state !== 'preparing',
      paused: this.#player.paused,
      stalled: this.stalled,
      unanswered: link?.unanswered ?? false,
      heldMs: this.#player.heldMs,
      leadMs: this.#player.leadMs,
      gainDb: this.#player.gainDb,
      roundTrip: link?.connection.acks.roundTrip,
      speeches: this.#player.speeches.map(speechSnapshot),
      relayed: [...this.#relayed].map((program) => program()),
    };
  }

  // ---- the transport's side -----------------------------------------------------------------------------------

  /** @internal Takes a connection. There must be none yet. */
  attach(connection: Connection, state?: LinkState): void {
    const { clock, wheel, readyTimeoutMs, model } = this.#settings;
    const link = new Link(connection, {
      agentName: this.name,
      clock,
      wheel,
      readyTimeoutMs,
      firstSoundMs: this.#settings.firstSoundMs,
      state,
    });
    this.#sink.attach(link);
    // The handover is complete: after a loss it reconnects like any other agent.
    this.expect(0);
    if (state?.gainDb !== undefined) this.#player.setGainDb(state.gainDb);
    if (state?.paused) this.#player.pause();
    this.#keep();
    link.events.on('message', (message) => this.#onMessage(message));
    link.events.on('reading', () => {
      if (link.stalled) this.#logger.warn({}, 'the agent has stopped reading');
      this.#events.emit('stalled', link.stalled);
      this.#player.readingChanged();
    });
    // The echo of a text line measures the avatar's main loop, not the connection.
    if (connection.transport === 'websocket') {
      link.events.on('roundTrip', ({ jitterMs, lastMs, minMs }) =>
        this.#autoLead.markReturned(jitterMs, lastMs - minMs),
      );
    }
    link.events.on('lost', (error) => this.#onLost(error));
    link.events.on('modelGone', (error) => this.#onModelGone(link, error));
    link.events.on('unanswered', () => {
      this.#logger.warn(
        { remote: connection.remote },
        'nothing has come from the avatar since its connection was taken over from another process: it may not be readable here. Its speeches wait. Start the avatar anew; if it happens again, start the service with --no-keeper',
      );
      this.#events.emit('unanswered', { remote: connection.remote });
    });
    this.#events.emit('connected', { remote: connection.remote });
    void this.#becomeReady(link, state?.model ?? model);
  }

  /**
   * @internal Expects its connection from another process.
   * @param withinMs maximum wait, in ms
   * @param interruptThere ends what that process is speaking
   */
  expect(withinMs: number, interruptThere?: InterruptThere): void {
    this.#expectedUntilMs = this.#settings.clock.nowMs() + withinMs;
    this.#interruptThere = interruptThere;
  }

  /** @internal Adds a program that uses the bridge as the avatar. @returns removes it */
  relayed(program: () => RelayedProgramSnapshot): () => void {
    const { name } = program();
    this.#relayed.add(program);
    this.#events.emit('relay', { program: name, state: 'connected', reason: undefined });
    return () => {
      if (!this.#relayed.delete(program)) return;
      this.#events.emit('relay', { program: name, state: 'left', reason: undefined });
    };
  }

  /** @internal Reports that something a relayed program sent was refused. */
  relayRefused(program: string, reason: string): void {
    this.#events.emit('relay', { program, state: 'refused', reason });
  }

  /** @internal @throws BridgeError RESTARTING while its connection and its speeches are still with another process */
  #refuseHandover(): void {
    if (!this.handover) return;
    throw new BridgeError(
      'RESTARTING',
      `Agent ${this.name} still speaks in the service’s previous process and is on its way to this one.`,
    );
  }

  /**
   * @internal Refuses new speeches, and settles when the current ones have ended. When `late` is aborted, they are
   * stopped, and speeches that wait for an absent agent are stopped at once.
   * @param refusal error of new speeches
   * @param reason error of the stopped speeches, instead of SPEECH_STOPPED
   */
  async drain(late: AbortSignal, refusal: BridgeError, reason?: BridgeError): Promise<void> {
    this.#refusal = refusal;
    const stop = (): void => {
      if (this.#refusal === refusal) void this.#player.interrupt(reason ? { reason } : {});
    };
    if (late.aborted || !this.#link) stop();
    else late.addEventListener('abort', stop, { once: true });
    await this.#player.whenIdle();
    late.removeEventListener('abort', stop);
  }

  /**
   * @internal Probes its avatar.
   * @returns false when it is not connected or did not answer within `withinMs`
   */
  answers(withinMs: number): Promise<boolean> {
    const link = this.#link;
    if (!link?.connection.probe) return Promise.resolve(link !== undefined);
    const { events } = link.connection;
    return new Promise((resolve) => {
      const settle = (alive: boolean): void => {
        timer.cancel();
        for (const off of offs) off();
        resolve(alive);
      };
      const timer = this.#settings.clock.after(withinMs, () => settle(false));
      const offs = [
        events.on('acknowledged', () => settle(true)),
        events.on('message', () => settle(true)),
        events.on('closed', () => settle(false)),
      ];
      link.connection.probe?.();
    });
  }

  /**
   * @internal Gives up its unresponsive connection for the agent of another name. It is never closed here.
   * @returns undefined when it has no connection any more
   */
  giveUp(newName: string): { connection: Connection; state: LinkState } | undefined {
    const link = this.#link;
    if (!link) return undefined;
    link.playOut(this.#settings.clock.nowMs() + this.#player.heldMs);
    const { connection } = link;
    this.#logger.warn(
      { remote: connection.remote },
      `the avatar does not answer and another one came by its name: it is ${newName} from now on`,
    );
    return { connection, state: link.giveUp(newName) };
  }

  /** @internal Hands its connection to another process once it is drained. */
  async handOver(late: AbortSignal): Promise<void> {
    const reason = new BridgeError(
      'RESTARTING',
      `Agent ${this.name} is going over to the service’s next process.`,
    );
    await this.drain(late, reason, reason);
    if (this.#refusal !== reason) return;
    const link = this.#link;
    await link?.connection.passOn?.(() => link.detach());
  }

  /** @internal Accepts speeches again after the next process was lost. */
  takeBack(): void {
    this.#refusal = undefined;
    this.expect(0);
  }

  /** @internal Raises an automatic lead while another process starts on the same machine. */
  brace(on: boolean): void {
    this.#autoLead.brace(on);
  }

  /** @internal Ends everything. The connection's owner closes the connection. */
  close(): void {
    this.#player.close();
    this.#sink.close();
  }

  /** @internal Keeps commands that a process which takes the avatar over has to send; see `Link.owe`. */
  owe(lines: readonly string[]): void {
    this.#link?.owe(lines);
  }

  get #link(): Link | undefined {
    return this.#sink.link;
  }

  /** Reports readiness even after a wait was given up: a model that loads later is noticed. */
  async #becomeReady(link: Link, model: string): Promise<void> {
    for (let told = false; ; told = true) {
      try {
        await link.prepare({ model });
        return this.#onReady(link);
      } catch (error) {
        const known = link === this.#link && error instanceof BridgeError ? error : undefined;
        if (known && !told) this.#events.emit('not-ready', known);
        if (known?.code !== 'MODEL_NOT_READY') return;
      }
    }
  }

  #onModelGone(link: Link, error: BridgeError): void {
    if (link !== this.#link) return;
    this.#ready = false;
    this.#events.emit('not-ready', error);
    link.playOut(this.#settings.clock.nowMs() + this.#player.heldMs);
    this.#player.lost(error);
    void this.#becomeReady(link, this.#settings.model);
  }

  #onReady(link: Link): void {
    if (this.#ready || link !== this.#link) return;
    this.#ready = true;
    const afterMs = this.#settings.clock.nowMs() - link.connection.openedAtMs;
    this.#events.emit('ready', { model: link.model ?? this.#settings.model, afterMs });
  }

  #onMessage(message: AgentMessage): void {
    this.#events.emit('message', message);
    const typed = classify(message);
    if (typed.kind === 'command' || typed.kind === 'log' || typed.kind === 'other') return;
    const { kind, ...values } = typed;
    this.#events.emit(kind, values);
  }

  #onLost(error: BridgeError): void {
    this.#sink.detach();
    this.#ready = false;
    this.#events.emit('lost', error);
    this.#player.lost(error);
  }

  #keep(): void {
    this.#link?.keep(this.#player.gainDb, this.#player.paused);
  }

  #admit({ when }: SpeechOptions): void {
    if (this.#refusal) throw this.#refusal;
    if (when === 'interrupt' && this.handover) void this.#interruptThere?.().catch(() => undefined);
  }
}
