import type { Clock, Timer } from '../base/clock.js';
import { ANSWERS, type ProgramWorld } from './answers.js';
import { CONTENT_START, ContentPlayer, type ContentRule } from './content.js';
import type { RuleLog } from './rules.js';
import { SynthPlugin, type PluginSpeech, type SynthPluginOptions } from './synth-plugin.js';

/** Maximum message, in bytes; the rest is cut off, with its newline (protocol.md §1). */
const MAX_MESSAGE_BYTES = 2_047;

/** Time without incoming data after which it may send, in ms (protocol.md §1). */
const QUIET_MS = 10;

/** Time from the last data to `AVATAR_EVENT_IDLE|START`, in ms (protocol.md §3). */
const IDLE_AFTER_MS = 15_000;

const CURRENT_TIME_EVERY_MS = 30_000;

/** Words of the wire without a visible answer (protocol.md §3). */
const SILENT_AV_WORDS = /^__AV(_EXMORPH|_ACTION|CONF_DISABLEAUTOLIP),/;

/** Options of the simulated program. */
export interface ProgramOptions {
  readonly clock: Clock;
  /** Alias of the model that its content loads. */
  readonly modelAlias: string;
  /**
   * Time from the upgrade until the model is loaded and the main loop runs, in milliseconds; Infinity for
   * never.
   */
  readonly readyAfterMs: number;
  /** Time from the upgrade until the sound device is open, in milliseconds. */
  readonly audioOpenMs: number;
  /** True sends the log in place of messages. */
  readonly allLog: boolean;
  /** Delay from a command to its echo, minimum and maximum, in milliseconds. */
  readonly echoMs: readonly [number, number];
  /** True when a file exists on the program's own machine. */
  readonly fileExists: (path: string) => boolean;
  /** Random number from 0 up to 1, for the time of each echo. */
  readonly random: () => number;
  /** Time of day, for `CURRENT_TIME`. */
  readonly timeOfDay: () => Date;
  /** Dialogue that its content plays. */
  readonly content: readonly ContentRule[];
  readonly synth: SynthPluginOptions;
  readonly log: RuleLog;
  /** Milliseconds since the upgrade. */
  readonly sinceUpgradeMs: () => number;
  /** Sends a message of the program, as bytes. */
  readonly send: (message: Buffer) => void;
  readonly onReady: () => void;
  /** Called when its own speech synthesis has spoken. */
  readonly onPluginSpeech: (speech: PluginSpeech) => void;
  readonly onEnd: (reason: string) => void;
}

/**
 * The program behind the wire: it loads a model, runs commands in its main loop, echoes each, and sends the
 * other messages of the real program (protocol.md §3, §5, §7 and the recording of §8).
 */
export class AvatarProgram {
  readonly #options: ProgramOptions;
  readonly #clock: Clock;
  readonly #models = new Set<string>();
  readonly #later = new Map<string, Timer>();
  readonly #world: ProgramWorld;
  readonly #synth: SynthPlugin;
  readonly #content: ContentPlayer;
  readonly #contentTimers = new Set<Timer>();
  /** Commands waiting for the main loop. They run in order of arrival. */
  readonly #inbox: { readonly line: string; readonly dueMs: number }[] = [];
  readonly #outbox: string[] = [];
  readonly #log: AvatarLog | undefined;
  #loopTimer: Timer | undefined;
  #sendTimer: Timer | undefined;
  #readyTimer: Timer | undefined;
  #deviceTimer: Timer | undefined;
  #timeTimer: Timer | undefined;
  #idleTimer: Timer | undefined;
  #state: 'loading' | 'running' | 'hung' | 'stopped' = 'loading';
  #lipsOf: string | undefined;
  #controlled = false;
  #idle = false;
  #lastReadMs = Number.NEGATIVE_INFINITY;
  #lastDataMs: number;

  constructor(options: ProgramOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#lastDataMs = options.clock.nowMs();
    this.#log = options.allLog ? new AvatarLog(options.timeOfDay, options.sinceUpgradeMs) : undefined;
    this.#synth = new SynthPlugin(this.#clock, options.synth, {
      hasModel: (alias) => this.#models.has(alias),
      say: (...messages) => this.#say(...messages),
      onSpeech: options.onPluginSpeech,
    });
    this.#content = new ContentPlayer(
      options.content,
      (delayMs, run) => this.#runLater(delayMs, run),
      (message) => this.issue(message),
    );
    this.#world = {
      synth: this.#synth,
      models: this.#models,
      deleted: (alias) => {
        if (this.#lipsOf === alias) this.#lipsOf = undefined;
      },
      isBound: (alias) => this.#lipsOf === alias,
      values: new Map(),
      fileExists: options.fileExists,
      later: (key, delayMs, message) => this.#sayLater(key, delayMs, message),
      cancel: (key) => this.#cancel(key),
      control: (on) => {
        if (on === this.#controlled) return false;
        this.#controlled = on;
        return true;
      },
      hang: (reason) => {
        options.log.add('speak-file-missing', reason, options.sinceUpgradeMs());
        this.#halt('hung');
      },
      end: (reason, rule) => {
        options.log.add(rule, reason, options.sinceUpgradeMs());
        options.onEnd(reason);
      },
    };
  }

  /** Starts after the upgrade: sends the first messages of the real program and loads the model. */
  start(): void {
    const { modelAlias, readyAfterMs, audioOpenMs } = this.#options;
    this.#lastDataMs = this.#clock.nowMs();
    this.#deviceTimer = this.#clock.after(audioOpenMs, () => this.#note('Remote', 'openstream ok'));
    this.#note('Remote', 'connected to localhost:9001/chat');
    this.#say('PLUGIN_EVENT_ENABLE|Variables', 'PLUGIN_EVENT_ENABLE|VIManager');
    this.#say(`MODEL_ADD|${modelAlias}|gene/Gene.pmd|0,-13,0`);
    if (Number.isFinite(readyAfterMs))
      this.#readyTimer = this.#clock.after(readyAfterMs, () => this.#becomeReady());
    this.#watchIdle(IDLE_AFTER_MS);
  }

  /** True once the model is loaded and the main loop runs; false again after a hang. */
  get ready(): boolean {
    return this.#state === 'running';
  }

  /** Reason why sound that comes now is not heard; undefined when it is heard (protocol.md §3, §4). */
  get muteReason(): 'not-ready' | 'device-closed' | 'no-model' | undefined {
    if (this.#state !== 'running') return 'not-ready';
    if (this.#options.sinceUpgradeMs() < this.#options.audioOpenMs) return 'device-closed';
    return this.#lipsOf !== undefined && this.#models.has(this.#lipsOf) ? undefined : 'no-model';
  }

  /** Records incoming data, also a ping: the program stays silent for a moment. */
  wireBusy(): void {
    this.#lastReadMs = this.#clock.nowMs();
  }

  /** Records incoming data: the program is not idle. */
  dataCame(): void {
    if (this.#state === 'stopped') return;
    this.wireBusy();
    this.#lastDataMs = this.#lastReadMs;
    if (this.#idle) {
      this.#idle = false;
      this.#say('AVATAR_EVENT_IDLE|STOP');
      this.#watchIdle(IDLE_AFTER_MS);
    }
  }

  /** Runs one command line from the wire. */
  run(line: string): void {
    if (this.#state === 'hung' || this.#state === 'stopped') return;
    this.#noteUnknownWord(line);
    const [leastMs, mostMs] = this.#options.echoMs;
    const nowMs = this.#clock.nowMs();
    this.#inbox.push({ line, dueMs: nowMs + leastMs + this.#options.random() * (mostMs - leastMs) });
    if (line.startsWith('__AV_SETMODEL,')) this.#setModel(line.slice('__AV_SETMODEL,'.length));
    if (this.#state === 'running') this.#scheduleLoop();
  }

  /** Issues a message inside the program, as a key, a script or a module does. */
  issue(message: string): void {
    this.#say(message);
    this.#answer(message);
  }

  /** Stops every timer; nothing is sent afterwards. */
  stop(): void {
    this.#halt('stopped');
  }

  #halt(state: 'hung' | 'stopped'): void {
    this.#state = state;
    for (const timer of this.#later.values()) timer.cancel();
    this.#later.clear();
    this.#synth.close();
    for (const timer of this.#contentTimers) timer.cancel();
    for (const timer of [
      this.#loopTimer,
      this.#sendTimer,
      this.#readyTimer,
      this.#deviceTimer,
      this.#timeTimer,
      this.#idleTimer,
    ])
      timer?.cancel();
    this.#inbox.length = 0;
    this.#outbox.length = 0;
  }

  #becomeReady(): void {
    const { modelAlias } = this.#options;
    this.#state = 'running';
    this.#models.add(modelAlias);
    this.#say('PLUGIN_EVENT_ENABLE|Audio', `MODEL_EVENT_ADD|${modelAlias}`);
    const menu = MENU_OF_THE_RECORDING.map((item, index) => `MENU|SETITEM|Gene|${index}|${item(modelAlias)}`);
    this.#say('MENU|ADD|Gene', ...menu, 'MENU_EVENT|ADD|Gene');
    this.#say(...menu.map((_, index) => `MENU_EVENT|SETITEM|Gene|${index}`), 'PLUGIN_EVENT_ENABLE|Remote');
    this.#options.onReady();
    this.#content.saw(CONTENT_START);
    this.#runUntil(Number.POSITIVE_INFINITY, true);
    this.#timeTimer = this.#clock.after(CURRENT_TIME_EVERY_MS, () => this.#sayTime());
  }

  #scheduleLoop(): void {
    const next = this.#inbox[0];
    if (!next || this.#loopTimer) return;
    this.#loopTimer = this.#clock.after(next.dueMs - this.#clock.nowMs(), () => {
      this.#loopTimer = undefined;
      this.#runUntil(this.#clock.nowMs(), false);
      this.#scheduleLoop();
    });
  }

  /** Runs one turn of the main loop: the echoes of all due commands, then their other messages. */
  #runUntil(untilMs: number, firstTurn: boolean): void {
    const due: string[] = [];
    for (let next = this.#inbox[0]; next && next.dueMs <= untilMs; next = this.#inbox[0]) {
      this.#inbox.shift();
      due.push(next.line);
    }
    const issued = due.flatMap((line) => this.#issuedBy(line));
    this.#issued('Remote', issued);
    if (firstTurn) this.#say(this.#timeMessage());
    for (const line of due) {
      if (line === '__AV_START' || line === '__AV_END') {
        const on = line === '__AV_START';
        this.#world.control(on);
        this.#say(on ? 'AVATAR|START' : 'AVATAR|END');
      }
      for (const message of this.#issuedBy(line)) {
        if (this.#log) this.#put(this.#log.line('MMDAgent', 'Captured', message));
        this.#answer(message);
      }
    }
  }

  /** Returns the messages that a line of the wire issues inside the program, and so echoes. */
  #issuedBy(line: string): string[] {
    if (line.startsWith('__AV_MESSAGE,')) return [line.slice('__AV_MESSAGE,'.length)];
    if (!line.startsWith('__AV')) return [line];
    return [];
  }

  #answer(message: string): void {
    const [type = '', ...args] = message.split('|');
    const answer = Object.hasOwn(ANSWERS, type) ? ANSWERS[type] : undefined;
    if (answer && this.#state === 'running') this.#say(...answer(args, this.#world));
  }

  #setModel(alias: string): void {
    if (this.#lipsOf === alias)
      this.#options.log.add('setmodel-repeated', `${alias} again.`, this.#options.sinceUpgradeMs());
    this.#lipsOf = alias;
  }

  /** Notes an unknown word; the real program ignores it silently. */
  #noteUnknownWord(line: string): void {
    if (!line.startsWith('__AV') || SILENT_AV_WORDS.test(line)) return;
    if (/^__AV_(START|END)$|^__AV_(SETMODEL|MESSAGE),/.test(line)) return;
    this.#options.log.add('unknown-av-word', JSON.stringify(line), this.#options.sinceUpgradeMs());
  }

  #sayLater(key: string, delayMs: number, message: string | (() => string)): void {
    this.#cancel(key);
    const timer = this.#clock.after(delayMs, () => {
      this.#later.delete(key);
      this.#say(typeof message === 'string' ? message : message());
    });
    this.#later.set(key, timer);
  }

  #runLater(delayMs: number, run: () => void): void {
    const timer = this.#clock.after(delayMs, () => {
      this.#contentTimers.delete(timer);
      run();
    });
    this.#contentTimers.add(timer);
  }

  #cancel(key: string): boolean {
    this.#later.get(key)?.cancel();
    return this.#later.delete(key);
  }

  #timeMessage(): string {
    const time = this.#options.timeOfDay();
    return `CURRENT_TIME|${time.getHours()}|${String(time.getMinutes()).padStart(2, '0')}`;
  }

  #sayTime(): void {
    this.#say(this.#timeMessage());
    this.#timeTimer = this.#clock.after(CURRENT_TIME_EVERY_MS, () => this.#sayTime());
  }

  #watchIdle(delayMs: number): void {
    this.#idleTimer = this.#clock.after(delayMs, () => {
      const leftMs = this.#lastDataMs + IDLE_AFTER_MS - this.#clock.nowMs();
      if (leftMs > 0) return this.#watchIdle(leftMs);
      this.#idle = true;
      this.#say('AVATAR_EVENT_IDLE|START');
    });
  }

  #say(...messages: readonly string[]): void {
    this.#issued('MMDAgent', messages);
  }

  /** Sends messages that a module issues inside the program. */
  #issued(module: string, messages: readonly string[]): void {
    if (this.#state === 'hung' || this.#state === 'stopped') return;
    for (const message of messages) this.#put(this.#log?.line(module, 'Sent', message) ?? message);
    for (const message of messages) this.#content.saw(message);
  }

  /** Writes a line that appears only in the log. */
  #note(module: string, text: string): void {
    if (this.#log) this.#put(this.#log.line(module, 'Status', text));
  }

  #put(message: string): void {
    if (this.#state === 'hung' || this.#state === 'stopped') return;
    this.#outbox.push(message);
    if (!this.#sendTimer) this.#sendWhenQuiet();
  }

  #sendWhenQuiet(): void {
    const waitMs = this.#lastReadMs + QUIET_MS - this.#clock.nowMs();
    if (waitMs > 0) {
      this.#sendTimer = this.#clock.after(waitMs, () => {
        this.#sendTimer = undefined;
        this.#sendWhenQuiet();
      });
      return;
    }
    for (const message of this.#outbox.splice(0)) this.#options.send(cut(message));
  }
}

/** Log of the program, as sent with `Plugin_Remote_AllLog=true` (protocol.md §5). */
class AvatarLog {
  readonly #timeOfDay: () => Date;
  readonly #sinceUpgradeMs: () => number;

  constructor(timeOfDay: () => Date, sinceUpgradeMs: () => number) {
    this.#timeOfDay = timeOfDay;
    this.#sinceUpgradeMs = sinceUpgradeMs;
  }

  line(module: string, level: 'Status' | 'Sent' | 'Captured', text: string): string {
    const time = this.#timeOfDay();
    const two = (value: number, digits = 2): string => String(value).padStart(digits, '0');
    const day = `${time.getFullYear()}/${two(time.getMonth() + 1)}/${two(time.getDate())}`;
    const clock = `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}.${two(time.getMilliseconds(), 3)}`;
    // Frames are counted at 30 a second. Lines end in two newlines.
    const frame = Math.floor((this.#sinceUpgradeMs() * 30) / 1000);
    return `[${day} ${clock}] [${frame}] ${module}: ${level}: ${text}\n`;
  }
}

const MENU_OF_THE_RECORDING: readonly ((alias: string) => string)[] = [
  (alias) => `頬なし|MODEL_BINDFACE|${alias}|頬全消し|1`,
  (alias) => `頬あり|MODEL_BINDFACE|${alias}|頬全消し|0`,
  (alias) => `メッシュなし|MODEL_BINDFACE|${alias}|メッシュなし|1`,
  (alias) => `メッシュあり|MODEL_BINDFACE|${alias}|メッシュなし|0`,
  (alias) => `髪留なし|MODEL_BINDFACE|${alias}|髪留なし|1`,
  (alias) => `髪留あり|MODEL_BINDFACE|${alias}|髪留なし|0`,
];

/** Cuts a message that is too long: it then ends without a newline, possibly within a character. */
function cut(message: string): Buffer {
  return Buffer.from(`${message}\n`).subarray(0, MAX_MESSAGE_BYTES);
}
