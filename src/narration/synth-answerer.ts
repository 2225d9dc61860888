import type { Clock } from '../base/clock.js';
import { BridgeError } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import type { Agent } from '../agent/agent.js';
import type { SayOptions } from '../agent/say.js';
import type { Speech } from '../speech/speech.js';
import type { VoiceChoice } from '../tts/engine-pool.js';
import { hasSpeech } from '../tts/speakable.js';

/** Voices by the name in SYNTH_START; `*` stands for every other name. */
export type SynthVoices = Readonly<Record<string, VoiceChoice>>;

/** Options of the answers to the avatar's own SYNTH_START messages. */
export interface SynthOptions {
  readonly voices?: SynthVoices | undefined;
  /**
   * `disable` (default) switches the avatar's own speech plugins off, so that nothing is spoken twice. `keep` leaves them
   * on for names that the table lacks.
   */
  readonly plugins?: 'disable' | 'keep' | undefined;
}

/** Speech plugins included in MMDAgent-EX. */
const PLUGINS = ['Open_JTalk', 'Flite_plus_hts_engine'];
/** Maximum wait for a probe's answer, in ms; a loaded model answers within about 60 ms (protocol.md §5). */
const PROBE_MS = 500;
/** Maximum wait for an echo, in ms; it comes within 60 ms, later on a busy machine. */
const ECHO_MS = 2000;
const MAX_ECHOES = 1000;
/** Delay from the due time of the last sample until it has sounded, in ms: 50 to 90 measured (protocol.md §4). */
const SOUNDS_AFTER_MS = 70;

/** Speaks the avatars' own SYNTH_START requests in place of their speech plugins. */
export class SynthAnswerer {
  readonly #voices: ReadonlyMap<string, VoiceChoice>;
  readonly #keepPlugins: boolean;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #unknown = new Set<string>();

  constructor({ voices = {}, plugins = 'disable' }: SynthOptions, clock: Clock, logger: Logger) {
    this.#voices = new Map(Object.entries(voices));
    this.#keepPlugins = plugins === 'keep';
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Answers the requests of this agent's avatar from now on. */
  attach(agent: Agent): void {
    const logger = this.#logger.child({ agent: agent.name });
    const stage = new SynthStage(agent, this.#clock, logger, (name) => this.#voiceOf(name));
    agent.on('connected', () => {
      if (this.#keepPlugins) return;
      // First: a speech that is playing can no longer be stopped once its plugin is off (protocol.md §9).
      stage.stopPlugin(agent.snapshot().model);
      for (const plugin of PLUGINS) agent.issue(`PLUGIN_DISABLE|${plugin}`);
    });
    agent.on('command', ({ line, relayed }) => {
      if (relayed || !line.startsWith('SYNTH_START|')) return;
      stage.expectEcho(line);
      if (!this.#keepPlugins)
        logger.warn(
          {},
          'a SYNTH_START was sent through the bridge, and no plugin of the avatar is on: use say',
        );
    });
    agent.on('message', ({ text }) => stage.heard(text));
    agent.on('lost', () => stage.clear());
  }

  /** @returns the voice for a name; undefined leaves it to the avatar */
  #voiceOf(name: string): VoiceChoice | undefined {
    const voice = this.#voices.get(name) ?? this.#voices.get('*');
    if (voice || this.#keepPlugins) return voice;
    if (this.#voices.size > 0 && !this.#unknown.has(name) && this.#unknown.size < 1000) {
      this.#unknown.add(name);
      this.#logger.warn(
        { voice: name },
        `the voice ${JSON.stringify(name)} is not in the table of synth voices: the usual voice speaks for it`,
      );
    }
    return {};
  }
}

interface Request {
  readonly alias: string;
  readonly voice: VoiceChoice;
  readonly text: string;
}

/** One alias of an avatar: its current request, the next one, and the number of skipped requests in between. */
interface Part {
  stopped: boolean;
  /** Its start was told. */
  begun: boolean;
  speech: Speech | undefined;
  next: Request | undefined;
  skipped: number;
}

/** The requests of one avatar. Each is answered by exactly one SYNTH_EVENT_START and one SYNTH_EVENT_STOP. */
class SynthStage {
  readonly #agent: Agent;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #voiceOf: (name: string) => VoiceChoice | undefined;
  readonly #parts = new Map<string, Part>();
  readonly #loaded = new Set<string>();
  /** Commands of ours whose echo has not arrived. */
  #echoes: { line: string; untilMs: number }[] = [];

  constructor(
    agent: Agent,
    clock: Clock,
    logger: Logger,
    voiceOf: (name: string) => VoiceChoice | undefined,
  ) {
    this.#agent = agent;
    this.#clock = clock;
    this.#logger = logger;
    this.#voiceOf = voiceOf;
  }

  /** Registers a sent command, whose echo is not a request of the avatar. */
  expectEcho(line: string): void {
    const nowMs = this.#clock.nowMs();
    this.#echoes = this.#echoes.filter(({ untilMs }) => untilMs > nowMs).slice(-MAX_ECHOES);
    this.#echoes.push({ line, untilMs: nowMs + ECHO_MS });
  }

  /** Stops the speech of an avatar's plugin. */
  stopPlugin(alias: string): void {
    const line = `SYNTH_STOP|${alias}`;
    this.expectEcho(line);
    this.#agent.issue(line);
  }

  /** Takes a message of the avatar. */
  heard(message: string): void {
    const [type, alias, voice, text] = message.split('|');
    if (type === 'MODEL_EVENT_DELETE' && alias !== undefined) this.#loaded.delete(alias);
    if (type !== 'SYNTH_START' && type !== 'SYNTH_STOP') return;
    if (alias === undefined || alias === '' || this.#isEcho(message)) return;
    if (type === 'SYNTH_STOP') return this.#stop(alias);
    if (voice === undefined || text === undefined) return;
    const choice = this.#voiceOf(voice);
    // A plugin that speaks it replaces the speech of this alias, as its own second speech would.
    if (choice === undefined) return this.#stop(alias);
    this.#start({ alias, voice: choice, text: unquoted(text) });
  }

  /** Forgets all requests of a lost avatar. */
  clear(): void {
    for (const part of this.#parts.values()) part.stopped = true;
    this.#parts.clear();
    this.#loaded.clear();
    this.#echoes = [];
  }

  #start(request: Request): void {
    const part = this.#parts.get(request.alias);
    if (!part) return this.#begin(request);
    if (part.next) part.skipped += 1;
    part.next = request;
    this.#cut(part);
  }

  #stop(alias: string): void {
    const part = this.#parts.get(alias);
    if (!part) return;
    if (part.next) part.skipped += 1;
    part.next = undefined;
    this.#cut(part);
  }

  #cut(part: Part): void {
    part.stopped = true;
    void part.speech?.stop();
  }

  #begin(request: Request): void {
    const part: Part = { stopped: false, begun: false, speech: undefined, next: undefined, skipped: 0 };
    const { alias } = request;
    this.#parts.set(alias, part);
    this.#owe();
    void this.#speak(request, part).then(() => {
      if (this.#parts.get(alias) !== part) return;
      for (; part.skipped > 0; part.skipped -= 1) this.#tellUnheard(alias);
      this.#parts.delete(alias);
      if (part.next) this.#begin(part.next);
      else this.#owe();
    });
  }

  /** Speaks one request, and reports its start and its end in every case. */
  async #speak({ alias, voice, text }: Request, part: Part): Promise<void> {
    const start = `SYNTH_EVENT_START|${alias}`;
    const stop = `SYNTH_EVENT_STOP|${alias}`;
    const told = new Set<string>();
    try {
      const model = hasSpeech(text) ? await this.#modelOf(alias) : undefined;
      if (model && !part.stopped) {
        const speech = this.#agent.say(text, {
          ...voice,
          ...model,
          cues: [{ atMs: 0, send: start }],
        });
        part.speech = speech;
        const ended = new Promise<void>((resolve) => {
          speech.on('cue', ({ send }) => {
            told.add(send);
            if (send !== start) return;
            part.begun = true;
            this.#owe();
          });
          // The script continues then: its next request need not wait until the end of the speech is certain.
          speech.notice(-1, () => this.#clock.after(SOUNDS_AFTER_MS, resolve));
          void speech.finished.then(() => resolve());
        });
        await ended;
      }
    } catch (error) {
      const { code, message } = error instanceof BridgeError ? error : { code: 'INTERNAL', message: error };
      this.#logger.warn({ code, alias }, `a SYNTH_START was not spoken: ${String(message)}`);
    }
    if (this.#parts.get(alias) !== part) return;
    if (!told.has(start)) this.#agent.issue(start);
    if (!told.has(stop)) this.#agent.issue(stop);
  }

  /** A script waits for these: when this process crashes, the one that takes the avatar over sends them. */
  #owe(): void {
    const lines = [...this.#parts].flatMap(([alias, { begun }]) => [
      ...(begun ? [] : [`SYNTH_EVENT_START|${alias}`]),
      `SYNTH_EVENT_STOP|${alias}`,
    ]);
    this.#agent.owe(lines);
  }

  #tellUnheard(alias: string): void {
    this.#agent.issue(`SYNTH_EVENT_START|${alias}`);
    this.#agent.issue(`SYNTH_EVENT_STOP|${alias}`);
  }

  /** Returns the model that a request moves. Without a model of its alias only the sound is played, as the plugins do. */
  async #modelOf(alias: string): Promise<Pick<SayOptions, 'model' | 'lips'>> {
    if (alias === this.#agent.snapshot().model || this.#loaded.has(alias)) return { model: alias };
    try {
      await this.#agent.request(`LIPSYNC_START|${alias}|sil,10`, { timeoutMs: PROBE_MS });
      this.#loaded.add(alias);
      return { model: alias };
    } catch {
      return { lips: 'none' };
    }
  }

  #isEcho(line: string): boolean {
    const nowMs = this.#clock.nowMs();
    const at = this.#echoes.findIndex((echo) => echo.line === line && echo.untilMs > nowMs);
    if (at === -1) return false;
    this.#echoes.splice(at, 1);
    return true;
  }
}

/** Removes quotes around a text, and a character that was cut off in the middle. */
function unquoted(text: string): string {
  return text
    .trim()
    .replace(/^"(.*?)"?$/su, '$1')
    .replace(/\uFFFD+$/u, '');
}
