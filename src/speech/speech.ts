import { BridgeError } from '../base/errors.js';
import { Emitter, type Listenable } from '../base/emitter.js';
import type { LiveLatency } from '../audio/latency.js';
import type { SoundInfo } from '../audio/pcm.js';
import type { Cue, Notice } from './cues.js';
import type { SegmentNeeds } from './sink.js';

/** Where the speeches of a group wait for one another, so that their first frames leave together. */
export interface StartGate {
  /**
   * Settles when the gate opens: when all have come, or when those that have come have waited long enough.
   * @throws the signal's reason when aborted; an error when it opened without this one
   */
  arrive(signal: AbortSignal): Promise<void>;
  /** One of them will not come. */
  leave(): void;
}

/** What may be asked of one speech. */
export interface SpeechOptions extends SegmentNeeds {
  /** `queue` (default): after those that wait; `interrupt`: now, ending all others; `if-idle`: refused when busy. */
  readonly when?: 'queue' | 'interrupt' | 'if-idle' | undefined;
  /** Among those that wait the higher goes first; default 0. */
  readonly priority?: number | undefined;
  /** Sound that the agent may hold unplayed, in ms; `auto`: the smallest that its link allows; by default the agent's own setting. */
  readonly leadMs?: number | 'auto' | undefined;
  /** Level in dB; 0 is unchanged and bit-exact. */
  readonly gainDb?: number | undefined;
  /** Follows the speech before it without a gap, in one segment, when its sound is there in time. */
  readonly join?: boolean | undefined;
  readonly cues?: readonly Cue[] | undefined;
  /** Sent when it ends in any way but by its own end: closes a mouth that commands had opened. */
  readonly sendIfCut?: string | undefined;
  /** @internal Where the speeches of a group wait for one another. */
  readonly gate?: StartGate | undefined;
  /** When the agent is lost: `fail` (default) ends the speech, `resume` goes on from what was heard once it is back. */
  readonly onAgentLost?: 'fail' | 'resume' | undefined;
}

/** The states of a speech. Each ends in `ended`. */
export type SpeechState = 'queued' | 'preparing' | 'speaking' | 'paused' | 'draining' | 'ended';

/** How a speech ended. */
export type SpeechEndKind = 'completed' | 'stopped' | 'failed' | 'avatar-lost';

/** What is known of a speech when it has ended. */
export interface SpeechEnd {
  readonly how: SpeechEndKind;
  /** How much of the sound was heard, in ms. */
  readonly heardMs: number;
  /** `confirmed` when the agent itself has told that it read all of that and could play it; else `assumed`. */
  readonly heard: 'confirmed' | 'assumed';
  /** The sound's whole length in ms, where it is known. */
  readonly durationMs: number | undefined;
  /** Silences within the speech that were not in the sound, as far as the bridge can know. */
  readonly gaps: GapCount;
  /** Live sound dropped because it came faster than it could be played, in ms. */
  readonly droppedMs: number;
  /** How old live sound was when it left; nothing for other sound. */
  readonly latency: LiveLatency | undefined;
  readonly cuesSent: number;
  readonly cuesDropped: number;
  /** Why, unless it completed. */
  readonly error: BridgeError | undefined;
}

/** Silences where there should have been sound. */
export interface GapCount {
  readonly count: number;
  readonly totalMs: number;
  /** Of these: the sound came late. */
  readonly bySource: number;
  /** Of these: the process was stalled for longer than the lead. */
  readonly byStall: number;
  /** Of these: the agent stood still. */
  readonly byAgent: number;
}

/** Reason of a gap: the sound came late, the process was stalled for longer than the lead, or the agent stood still. */
export type GapCause = 'source' | 'stall' | 'agent';

/** How far a speech is. */
export interface SpeechPosition {
  /** Heard so far, in ms of the sound. */
  readonly positionMs: number;
  readonly durationMs: number | undefined;
  /** What the agent holds unplayed, in ms. */
  readonly heldMs: number;
  /** Live sound dropped so far because it came faster than it could be played, in ms. */
  readonly droppedMs: number;
  /** How old live sound was when it left, of the last five seconds; nothing for other sound. */
  readonly latency: LiveLatency | undefined;
}

/** A sentence of a text that is spoken, by the sound as heard. Told when it begins and again when it is over. */
export interface SpokenSentence {
  /** Counts the sentences of the text that have something to say, from 0. */
  readonly index: number;
  /** As it was written, without tags. */
  readonly text: string;
  /** Its begin in the sound, in ms. */
  readonly startMs: number;
  /** Its end in the sound, in ms, once it is over. */
  readonly endMs: number | undefined;
  /** `begun`; then `heard` to its end, or `cut` by the end of the speech. */
  readonly state: 'begun' | 'heard' | 'cut';
}

/** The events of a speech. */
export interface SpeechEvents {
  state: SpeechState;
  /** Reason why it has not begun, as a sentence: the agent is paused, or not connected, or its model is not loaded. */
  waiting: string;
  /** The sound's head has been read. */
  info: SoundInfo;
  /** About ten times a second while it sounds. */
  position: SpeechPosition;
  /** A fault that did not end it, as a sentence. */
  warning: string;
  /** A cue left. */
  cue: Cue;
  /** A sentence of a text begins to be heard, or is over. */
  sentence: SpokenSentence;
  /**
   * Samples left for the agent, 16 kHz mono, gains applied; without the silence that pads a segment. `atSample` is the
   * place of the first one in the sound. Not to be changed.
   */
  sent: { readonly samples: Int16Array; readonly atSample: number };
  ended: SpeechEnd;
}

/** The player's side of a speech: what the handle asks of it. */
export interface SpeechOwner {
  stop(speech: Speech, fadeMs: number | undefined): void;
  addCue(speech: Speech, cue: Cue | Notice): void;
  position(speech: Speech): SpeechPosition;
  /** Somebody follows its position from now on. */
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

/** One utterance, as its caller holds it. */
export class Speech implements Listenable<SpeechEvents> {
  readonly id: string;
  readonly options: SpeechOptions;
  /** Settles once: true at its first sound, false when it ended without one. Never rejects. */
  readonly started: Promise<boolean>;
  /** Settles once, whatever happens, with how it ended. Never rejects. */
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

  /** Made by a player, never by a caller. */
  constructor(owner: SpeechOwner, id: string, named: { readonly label: string }, options: SpeechOptions) {
    this.#owner = owner;
    this.id = id;
    this.#named = named;
    this.options = options;
    this.#events = new Emitter();
    this.started = new Promise((resolve) => (this.#settleStarted = resolve));
    this.finished = new Promise((resolve) => (this.#settleFinished = resolve));
  }

  /** The name of its sound in messages; of a text that is being written, its first words once they have come. */
  get label(): string {
    return this.#named.label;
  }

  get state(): SpeechState {
    return this.#state;
  }

  /** Reason why it has not begun, as a sentence; undefined where nothing but its turn is waited for. */
  get waiting(): string | undefined {
    return this.#waiting;
  }

  /** How it ended, once it has. */
  get end(): SpeechEnd | undefined {
    return this.#end;
  }

  /** What its sound said of itself, once its head has been read. */
  get info(): SoundInfo | undefined {
    return this.#info;
  }

  /** How far it is, as heard. */
  get position(): SpeechPosition {
    return this.#owner.position(this);
  }

  /** Heard so far, in ms of the sound. */
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
   * Ends it: what the agent holds still sounds (the lead), nothing more leaves.
   * @param options.fadeMs how long the cut fades, in ms; default 15
   * @returns `finished`
   */
  stop(options: { fadeMs?: number | undefined } = {}): Promise<SpeechEnd> {
    this.#owner.stop(this, options.fadeMs);
    return this.finished;
  }

  /**
   * Sends a command at a moment of the sound, as heard; one that has passed is sent at once.
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

  /** @internal Calls `notify` when a moment of the sound is due, in ms, negative from its end; never when the speech ends before. */
  notice(atMs: number, notify: () => void): void {
    if (this.#state !== 'ended') this.#owner.addCue(this, { atMs, notify });
  }

  /** @internal The player's: the one transition of the state machine. */
  enter(state: Exclude<SpeechState, 'ended'>): void {
    this.#transition(state);
    this.#events.emit('state', state);
  }

  /** @internal The player's: why it has not begun. */
  wait(reason: string | undefined): void {
    if (reason === this.#waiting) return;
    this.#waiting = reason;
    if (reason !== undefined) this.#events.emit('waiting', reason);
  }

  /** @internal The player's: ends it. */
  settle(end: SpeechEnd): void {
    this.#transition('ended');
    this.#end = end;
    this.#settleStarted(false);
    this.#settleFinished(end);
    this.#events.emit('state', 'ended');
    this.#events.emit('ended', end);
  }

  /** @internal The player's: its first sound is heard. */
  markStarted(): void {
    this.#hasStarted = true;
    this.#settleStarted(true);
  }

  /** True from its first sound on. */
  get hasStarted(): boolean {
    return this.#hasStarted;
  }

  /** @internal The player's: the sound's head has been read. */
  setInfo(info: SoundInfo): void {
    this.#info = info;
    this.#events.emit('info', info);
  }

  /** @internal The player's way to tell the listeners. */
  tell<Name extends 'position' | 'warning' | 'cue' | 'sentence' | 'sent'>(
    event: Name,
    payload: SpeechEvents[Name],
  ): void {
    this.#events.emit(event, payload);
  }

  /** @internal True when somebody may take down what is sent. */
  get recorded(): boolean {
    return this.#recorded;
  }

  /** @internal True when somebody follows the position. */
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
