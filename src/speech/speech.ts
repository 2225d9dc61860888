import { BridgeError } from '../base/errors.js';
import { Emitter, type Listenable } from '../base/emitter.js';
import type { LiveLatency } from '../audio/latency.js';
import type { SoundInfo } from '../audio/pcm.js';
import type { Cue, Notice } from './cues.js';
import type { SegmentNeeds } from './sink.js';

/** Gate at which the speeches of a group wait, so that their first frames are sent together. */
export interface StartGate {
  /**
   * Settles when the gate opens: when all speeches have arrived, or after a time limit for the others.
   * @throws the signal's reason when aborted; an error when the gate opened without this speech
   */
  arrive(signal: AbortSignal): Promise<void>;
  /** Reports that one of the speeches will not arrive. */
  leave(): void;
}

/** Options of a speech. */
export interface SpeechOptions extends SegmentNeeds {
  /**
   * `queue` (default): after the waiting speeches; `interrupt`: now, ending all others; `if-idle`: refused
   * when busy.
   */
  readonly when?: 'queue' | 'interrupt' | 'if-idle' | undefined;
  /** Priority among waiting speeches; the highest goes first. Default 0. */
  readonly priority?: number | undefined;
  /**
   * Maximum sound the agent may hold unplayed, in ms; `auto`: the smallest that its link allows; default: the
   * agent's own setting.
   */
  readonly leadMs?: number | 'auto' | undefined;
  /** Level in dB; 0 is unchanged and bit-exact. */
  readonly gainDb?: number | undefined;
  /** True continues the speech before it without a gap, in one segment, if its sound is ready in time. */
  readonly join?: boolean | undefined;
  readonly cues?: readonly Cue[] | undefined;
  /** Command sent when the speech ends early: closes a mouth that commands had opened. */
  readonly sendIfCut?: string | undefined;
  /** @internal Gate at which the speeches of a group wait. */
  readonly gate?: StartGate | undefined;
  /**
   * On loss of the agent, `fail` (default) ends the speech; `resume` continues after reconnection from the
   * part that was heard.
   */
  readonly onAgentLost?: 'fail' | 'resume' | undefined;
}

/** States of a speech. The last one is `ended`. */
export type SpeechState = 'queued' | 'preparing' | 'speaking' | 'paused' | 'draining' | 'ended';

/** Kind of end of a speech. */
export type SpeechEndKind = 'completed' | 'stopped' | 'failed' | 'avatar-lost';

/** Final report of a speech. */
export interface SpeechEnd {
  readonly how: SpeechEndKind;
  /** Part of the sound that was heard, in ms. */
  readonly heardMs: number;
  /**
   * `confirmed` when the agent itself reported that it read all of that and could play it; otherwise
   * `assumed`.
   */
  readonly heard: 'confirmed' | 'assumed';
  /** Whole length of the sound in ms, if known. */
  readonly durationMs: number | undefined;
  /** Silences within the speech that were not in the sound, as far as the bridge can tell. */
  readonly gaps: GapCount;
  /** Live sound dropped because it came faster than it could be played, in ms. */
  readonly droppedMs: number;
  /** Latency of live sound; undefined for other sound. */
  readonly latency: LiveLatency | undefined;
  readonly cuesSent: number;
  readonly cuesDropped: number;
  /** Error, unless it completed. */
  readonly error: BridgeError | undefined;
}

/** Unintended silences within the sound. */
export interface GapCount {
  readonly count: number;
  readonly totalMs: number;
  /** Number caused by sound that came late. */
  readonly bySource: number;
  /** Number caused by a stall of the process that was longer than the lead. */
  readonly byStall: number;
  /** Number caused by an agent that stopped reading. */
  readonly byAgent: number;
}

/**
 * Reason of a gap: the sound came late, the process stalled for longer than the lead, or the agent stopped
 * reading.
 */
export type GapCause = 'source' | 'stall' | 'agent';

/** Progress of a speech. */
export interface SpeechPosition {
  /** Part heard so far, in ms of the sound. */
  readonly positionMs: number;
  readonly durationMs: number | undefined;
  /** Sound the agent holds unplayed, in ms. */
  readonly heldMs: number;
  /** Live sound dropped so far because it came faster than it could be played, in ms. */
  readonly droppedMs: number;
  /** Latency of live sound over the last five seconds; undefined for other sound. */
  readonly latency: LiveLatency | undefined;
}

/** A sentence of a spoken text, timed as heard. Reported at its begin and at its end. */
export interface SpokenSentence {
  /** Index among the sentences with something to say, from 0. */
  readonly index: number;
  /** Text as written, without tags. */
  readonly text: string;
  /** Begin in the sound, in ms. */
  readonly startMs: number;
  /** End in the sound, in ms; undefined until then. */
  readonly endMs: number | undefined;
  /** `begun`; then `heard` at its end, or `cut` when the speech ended before. */
  readonly state: 'begun' | 'heard' | 'cut';
}

/** Events of a speech. */
export interface SpeechEvents {
  state: SpeechState;
  /**
   * Reason why it has not begun, as a sentence: the agent is paused or not connected, or its model is not
   * loaded.
   */
  waiting: string;
  /** The sound's head has been read. */
  info: SoundInfo;
  /** Progress, about ten times a second while it sounds. */
  position: SpeechPosition;
  /** A fault that did not end it, as a sentence. */
  warning: string;
  /** A cue was sent. */
  cue: Cue;
  /** A sentence of a text begins to be heard, or has ended. */
  sentence: SpokenSentence;
  /**
   * Samples sent to the agent: 16 kHz mono, gains applied, without the silence that pads a segment.
   * `atSample` is the position of the first one in the sound. Do not modify them.
   */
  sent: { readonly samples: Int16Array; readonly atSample: number };
  ended: SpeechEnd;
}

/** Owner of a speech: the player behind the handle. */
export interface SpeechOwner {
  stop(speech: Speech, fadeMs: number | undefined): void;
  addCue(speech: Speech, cue: Cue | Notice): void;
  position(speech: Speech): SpeechPosition;
  /** Called when the speech gets its first position listener. */
  followed(speech: Speech): void;
}

const NEXT: Record<SpeechState, readonly SpeechState[]> = {
  queued: ['preparing', 'ended'],
  preparing: ['speaking', 'queued', 'ended'],
  speaking: ['paused', 'draining', 'queued', 'ended'],
  paused: ['speaking', 'draining', 'queued', 'ended'],
  draining: ['queued', 'ended'],
  ended: [],
};

/** One utterance, as a handle for its caller. */
export class Speech implements Listenable<SpeechEvents> {
  readonly id: string;
  readonly options: SpeechOptions;
  /** Settles with true at its first sound, with false when it ended without one. Never rejects. */
  readonly started: Promise<boolean>;
  /** Settles with its final report, however it ended. Never rejects. */
  readonly finished: Promise<SpeechEnd>;
  readonly #owner: SpeechOwner;
  readonly #named: { readonly label: string };
  readonly #events: Emitter<SpeechEvents>;
  #state: SpeechState = 'queued';
  #hasStarted = false;
  #recorded = false;
  #waiting: string | undefined;
  #end: SpeechEnd | undefined;
  #info: SoundInfo | undefined;
  #settleStarted!: (started: boolean) => void;
  #settleFinished!: (end: SpeechEnd) => void;

  /** Created by a player, never by a caller. */
  constructor(owner: SpeechOwner, id: string, named: { readonly label: string }, options: SpeechOptions) {
    this.#owner = owner;
    this.id = id;
    this.#named = named;
    this.options = options;
    this.#events = new Emitter();
    this.started = new Promise((resolve) => (this.#settleStarted = resolve));
    this.finished = new Promise((resolve) => (this.#settleFinished = resolve));
  }

  /** Name of its sound in messages; for a text that is being written, its first words once they have come. */
  get label(): string {
    return this.#named.label;
  }

  get state(): SpeechState {
    return this.#state;
  }

  /** Reason why it has not begun, as a sentence; undefined when it only waits for its turn. */
  get waiting(): string | undefined {
    return this.#waiting;
  }

  /** Final report; undefined until it has ended. */
  get end(): SpeechEnd | undefined {
    return this.#end;
  }

  /** Description from the sound's head, once it has been read. */
  get info(): SoundInfo | undefined {
    return this.#info;
  }

  /** Progress, as heard. */
  get position(): SpeechPosition {
    return this.#owner.position(this);
  }

  /** Part heard so far, in ms of the sound. */
  get positionMs(): number {
    return this.position.positionMs;
  }

  /** Calls `listener` at every event of that name; the returned function ends the subscription. */
  on<Name extends keyof SpeechEvents>(
    event: Name,
    listener: (payload: SpeechEvents[Name]) => void,
  ): () => void {
    const off = this.#events.on(event, listener);
    this.#listened(event);
    return off;
  }

  /** Calls `listener` at the next event of that name; the returned function ends the subscription. */
  once<Name extends keyof SpeechEvents>(
    event: Name,
    listener: (payload: SpeechEvents[Name]) => void,
  ): () => void {
    const off = this.#events.once(event, listener);
    this.#listened(event);
    return off;
  }

  /** Ends a subscription of `on` or `once`. */
  off<Name extends keyof SpeechEvents>(event: Name, listener: (payload: SpeechEvents[Name]) => void): void {
    this.#events.off(event, listener);
  }

  /**
   * Ends the speech. Sound the agent already holds (the lead) is still heard; nothing more is sent.
   * @param options.fadeMs length of the fade, in ms; default 15
   * @returns `finished`
   */
  stop(options: { fadeMs?: number | undefined } = {}): Promise<SpeechEnd> {
    this.#owner.stop(this, options.fadeMs);
    return this.finished;
  }

  /**
   * Sends a command at a position in the sound, as heard. A position that has passed is sent at once.
   * @param atMs ms from the start, or negative from the end
   * @param send the command line
   * @throws BridgeError COMMAND_INVALID or COMMAND_DANGEROUS; CLOSED when the speech has ended
   */
  cue(atMs: number, send: string, options: { always?: boolean | undefined } = {}): void {
    if (this.#state === 'ended') {
      throw new BridgeError('CLOSED', `The speech of ${this.label} has ended; a cue cannot be added to it.`);
    }
    this.#owner.addCue(this, { atMs, send, ...options });
  }

  /**
   * @internal Calls `notify` at a position in the sound, in ms, negative from its end; never when the speech
   * ends before.
   */
  notice(atMs: number, notify: () => void): void {
    if (this.#state !== 'ended') this.#owner.addCue(this, { atMs, notify });
  }

  /** @internal For the player: the only transition of the state machine. */
  enter(state: Exclude<SpeechState, 'ended'>): void {
    this.#transition(state);
    this.#events.emit('state', state);
  }

  /** @internal For the player: sets the reason why it has not begun. */
  wait(reason: string | undefined): void {
    if (reason === this.#waiting) return;
    this.#waiting = reason;
    if (reason !== undefined) this.#events.emit('waiting', reason);
  }

  /** @internal For the player: ends it. */
  settle(end: SpeechEnd): void {
    this.#transition('ended');
    this.#end = end;
    this.#settleStarted(false);
    this.#settleFinished(end);
    this.#events.emit('state', 'ended');
    this.#events.emit('ended', end);
  }

  /** @internal For the player: marks that its first sound is heard. */
  markStarted(): void {
    this.#hasStarted = true;
    this.#settleStarted(true);
  }

  /** True from its first sound on. */
  get hasStarted(): boolean {
    return this.#hasStarted;
  }

  /** @internal For the player: sets the description from the sound's head. */
  setInfo(info: SoundInfo): void {
    this.#info = info;
    this.#events.emit('info', info);
  }

  /** @internal For the player: calls the listeners. */
  tell<Name extends 'position' | 'warning' | 'cue' | 'sentence' | 'sent'>(
    event: Name,
    payload: SpeechEvents[Name],
  ): void {
    this.#events.emit(event, payload);
  }

  /** @internal True when there is a listener for sent samples. */
  get recorded(): boolean {
    return this.#recorded;
  }

  /** @internal True when there is a listener for the position. */
  get followed(): boolean {
    return this.#events.listenerCount('position') > 0;
  }

  #transition(to: SpeechState): void {
    if (!NEXT[this.#state].includes(to)) {
      throw new BridgeError('INTERNAL', `A speech cannot go from ${this.#state} to ${to} (${this.label}).`);
    }
    this.#state = to;
    if (to !== 'queued' && to !== 'preparing') this.#waiting = undefined;
  }

  #listened(event: keyof SpeechEvents): void {
    if (event === 'position') this.#owner.followed(this);
    if (event === 'sent') this.#recorded = true;
  }
}
