import { delay, systemClock, type Clock, type Timer } from '../base/clock.js';
import { Emitter } from '../base/emitter.js';
import { BridgeError } from '../base/errors.js';
import { silentLogger, type Logger } from '../base/logger.js';
import { saveWav } from './heard-wav.js';
import { AvatarLink, type DialResult, type SimulatorLink } from './link.js';
import { TcpLink } from './tcp-link.js';
import type { SimulatorEvents, SimulatorOptions } from './options.js';
import { Playback, type DropReason } from './playback.js';
import { AvatarProgram, type ProgramOptions } from './program.js';
import { AvatarReceiver, type ReceiverAction } from './receiver.js';
import type { JoinOptions } from './recording.js';
import type { Death, DeathCause, ReceivedCommand, SimulatorReport, SimulatorState } from './report.js';
import { RuleLog, type BrokenRule } from './rules.js';

/** Interval of connection attempts on the same path, and after a 429 on the next, in ms (protocol.md §1). */
const RETRY_MS = 500;
const RETRY_AFTER_429_MS = 200;

/** Minimum time from the upgrade to the first send, in ms (protocol.md §1). */
const QUIET_START_MS = 50;

/**
 * Time after the upgrade, in ms, before which data can only have been sent together with the 101, whatever
 * the load of the machine.
 */
const WITH_UPGRADE_MS = 10;

/** Time from an apparent disconnect to the end of the process, in ms (protocol.md §2: 57 to 92 ms). */
const DEATH_BY_DISCONNECT_MS = 75;

const KEPT_COMMANDS = 1_000;

const MUTE_RULES = {
  'not-ready': 'audio-before-ready',
  'device-closed': 'audio-before-device',
  'no-model': 'audio-without-model',
} as const;

/**
 * Simulates MMDAgent-EX: it connects, becomes ready, runs commands, plays and dies as measured in
 * protocol.md, records what it plays, and reports every broken rule. An instance is used for one connection.
 */
export class SimulatedAvatar extends Emitter<SimulatorEvents> {
  readonly #options: SimulatorOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #modelAlias: string;
  readonly #rules: RuleLog;
  readonly #receiver: AvatarReceiver;
  readonly #playback: Playback;
  readonly #program: AvatarProgram;
  readonly #ended = new AbortController();
  #state: SimulatorState = 'new';
  #url: string;
  #attempts = 0;
  #link: SimulatorLink | undefined;
  #upgradedAtMs: number | undefined;
  #readyAtMs: number | undefined;
  #firstFrameMs: number | undefined;
  #death: Death | undefined;
  readonly #deathTimers: Timer[] = [];
  readonly #commands: ReceivedCommand[] = [];
  #commandCount = 0;
  #messagesReceived = 0;
  #bytesReceived = 0;
  #audioFrames = 0;
  #marksAnswered = 0;
  #messagesSent = 0;

  constructor(options: SimulatorOptions) {
    super();
    this.#options = options;
    this.#url = options.url;
    this.#clock = options.clock ?? systemClock;
    this.#logger = options.logger ?? silentLogger;
    this.#modelAlias = options.modelAlias ?? '0';
    this.#rules = new RuleLog((broken) => this.#onBroken(broken));
    this.#receiver = new AvatarReceiver(this.#rules, { stream: options.url.startsWith('tcp:') });
    this.#playback = new Playback(options.record === false ? { ...options, maxRecordMs: 0 } : options);
    this.#program = new AvatarProgram(this.#programOptions());
  }

  get state(): SimulatorState {
    return this.#state;
  }

  /**
   * Connects, with the retries of the real avatar. Resolves at the upgrade; `state` tells when it is ready.
   * @throws BridgeError OPTION_INVALID, SERVICE_NOT_RUNNING, AGENT_REFUSED; CLOSED after `leave` or at a
   * second call
   */
  async connect(): Promise<void> {
    if (this.#state !== 'new')
      throw new BridgeError('CLOSED', 'This simulated avatar has connected before; it lives once.');
    const url = URL.canParse(this.#url) ? new URL(this.#url) : undefined;
    if (!/^(wss?|tcp):$/.test(url?.protocol ?? '') || (this.#options.tcpServer && url?.protocol !== 'tcp:'))
      throw new BridgeError(
        'OPTION_INVALID',
        `The simulator's address is no ws:// or tcp:// address: ${this.#url}`,
      );
    if (this.#options.tcpServer) {
      await this.listen();
      return new Promise((resolve) => this.once('state', () => resolve()));
    }
    this.#become('connecting');
    for (let retry = 0; ;) {
      this.#attempts++;
      const result = await this.#dial();
      if (result.kind === 'open') return;
      if (retry >= (this.#options.retryCount ?? 0)) this.#giveUp(result.reason, result.status);
      retry++;
      this.#logger.info({ url: this.#url, retry }, `Not let in: ${result.reason}; trying again.`);
      if (result.status === 429) this.#url += `-${retry}`;
      await delay(
        this.#clock,
        result.status === 429 ? RETRY_AFTER_429_MS : RETRY_MS,
        this.#ended.signal,
      ).catch(() => this.#giveUp('it left', undefined));
    }
  }

  /**
   * Listens, as an avatar that is a TCP server.
   * @returns the port
   * @throws BridgeError PORT_IN_USE; CLOSED at a second call
   */
  async listen(): Promise<number> {
    if (this.#state !== 'new')
      throw new BridgeError('CLOSED', 'This simulated avatar has connected before; it lives once.');
    this.#become('connecting');
    const { hostname, port } = new URL(this.#url);
    try {
      const host = hostname.replace(/^\[|\]$/g, '');
      return (await TcpLink.listen(host, Number(port), this.#linkEvents, this.#ended.signal)).port;
    } catch (error) {
      this.#die('refused', `It could not listen at ${this.#url}.`);
      throw new BridgeError(
        'PORT_IN_USE',
        `The simulated avatar cannot listen at ${this.#url}: ${(error as Error).message}.`,
        { cause: error },
      );
    }
  }

  /**
   * Settles when it runs commands and can be heard.
   * @throws BridgeError AGENT_LOST when it dies before
   */
  whenReady(): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): boolean => {
        if (this.#state === 'ready') resolve();
        else if (this.#state === 'dead')
          reject(new BridgeError('AGENT_LOST', `The simulated avatar is dead: ${this.#death!.detail}`));
        else return false;
        return true;
      };
      if (look()) return;
      const off = this.on('state', () => {
        if (look()) off();
      });
    });
  }

  /** Disconnects at once, like a process that ends: no CLOSE frame. Safe at any time. */
  leave(): void {
    this.#die('left', 'It was told to leave.');
  }

  /** Issues a message inside it, as a key, a dialogue script or a module does: `KEY|1`. */
  issue(message: string): void {
    if (this.#state === 'ready') this.#program.issue(message);
  }

  /** Stops reading its socket, like a frozen program; data collects at the sender. */
  stopReading(): void {
    this.#link?.stopReading();
  }

  /** Continues to read after `stopReading`. */
  resumeReading(): void {
    this.#link?.resumeReading();
  }

  /**
   * Returns the heard sound, 16 kHz mono; without options only the samples, without gaps and pauses. Empty
   * with `record: false`.
   */
  heard(options?: JoinOptions): Int16Array {
    this.#catchUp();
    return this.#playback.recording.join(options);
  }

  /**
   * Writes the heard sound to a WAV file: gaps as silence, pauses between segments shortened to a second.
   * @throws BridgeError FILE_UNWRITABLE
   */
  saveHeard(path: string): Promise<void> {
    return saveWav(path, this.heard({ gaps: true, maxPauseMs: 1_000 }));
  }

  /** Returns the time until it has played all the sound it holds, in milliseconds; 0 when it is silent. */
  remainingMs(): number {
    return this.#death ? 0 : this.#playback.remainingMs(this.#sinceUpgradeMs());
  }

  report(): SimulatorReport {
    this.#catchUp();
    const playback = this.#playback;
    const firstSoundMs = playback.firstSoundMs;
    return {
      url: this.#url,
      attempts: this.#attempts,
      state: this.#state,
      upgraded: this.#upgradedAtMs !== undefined,
      ready: this.#readyAtMs !== undefined,
      ...(this.#readyAtMs === undefined ? {} : { readyAtMs: this.#readyAtMs }),
      alive: this.#death === undefined && this.#upgradedAtMs !== undefined,
      wedged: this.#receiver.state === 'wedged',
      ...(this.#death ? { died: this.#death } : {}),
      modelAlias: this.#modelAlias,
      commands: [...this.#commands],
      commandCount: this.#commandCount,
      messagesReceived: this.#messagesReceived,
      bytesReceived: this.#bytesReceived,
      audioFrames: this.#audioFrames,
      marksAnswered: this.#marksAnswered,
      messagesSent: this.#messagesSent,
      samplesReceived: playback.receivedSamples,
      samplesHeard: playback.heardSamples,
      samplesHeld: playback.heldSamples,
      samplesDropped: { ...playback.droppedSamples },
      maxHeldMs: playback.maxHeldMs,
      gaps: [...playback.gaps],
      gapCount: playback.gapCount,
      gapMs: playback.gapMs,
      ...(firstSoundMs === undefined ? {} : { firstSoundAfterMs: firstSoundMs - this.#firstFrameMs! }),
      ...(playback.lastSoundMs === undefined ? {} : { lastSoundAtMs: playback.lastSoundMs }),
      segments: [...playback.segments],
      faults: this.#rules.list('fault'),
      notes: this.#rules.list('note'),
      ruleCounts: this.#rules.counts(),
    };
  }

  #dial(): Promise<DialResult> {
    const { readJitterMs = 0, random = Math.random } = this.#options;
    const { signal } = this.#ended;
    if (!this.#url.startsWith('tcp:'))
      return AvatarLink.dial(this.#url, this.#linkEvents, {
        clock: this.#clock,
        readJitterMs,
        random,
        signal,
      });
    const { hostname, port } = new URL(this.#url);
    return TcpLink.dial(hostname.replace(/^\[|\]$/g, ''), Number(port), this.#linkEvents, signal);
  }

  #programOptions(): ProgramOptions {
    const { echoMs, fileExists, random, timeOfDay, readyAfterMs, audioOpenMs, allLog } = this.#options;
    return {
      clock: this.#clock,
      modelAlias: this.#modelAlias,
      readyAfterMs: readyAfterMs ?? 150,
      audioOpenMs: audioOpenMs ?? 200,
      allLog: allLog ?? false,
      echoMs: echoMs ?? [30, 60],
      fileExists: fileExists ?? (() => true),
      random: random ?? Math.random,
      timeOfDay: timeOfDay ?? (() => new Date()),
      content: this.#options.content ?? [],
      synth: this.#options.synth ?? { voices: [] },
      onPluginSpeech: (speech) => this.emit('synth', speech),
      log: this.#rules,
      sinceUpgradeMs: () => this.#sinceUpgradeMs(),
      send: (message) => {
        this.#messagesSent++;
        this.#link?.send(message);
      },
      onReady: () => {
        this.#readyAtMs = this.#sinceUpgradeMs();
        this.#become('ready');
      },
      onEnd: (reason) => this.#die('killed', `${reason} ended it.`),
    };
  }

  readonly #linkEvents = {
    upgraded: (link: SimulatorLink): void => {
      if (this.#death) return link.destroy();
      this.#link = link;
      this.#upgradedAtMs = this.#clock.nowMs();
      this.#become('starting');
      this.#program.start();
      // The avatar reports a connection only in this mode (protocol.md §6).
      if (this.#options.tcpServer) link.send(Buffer.from('REMOTE_EVENT_CONNECTED|127.0.0.1\n'));
      const { dieAfterMs } = this.#options.faults ?? {};
      if (dieAfterMs !== undefined) this.#dieLater(dieAfterMs, 'left', 'It was made to vanish.');
    },
    message: (payload: Buffer, withUpgrade: boolean): void => this.#onMessage(payload, withUpgrade),
    ping: (payload: Buffer): void => {
      this.#program.wireBusy();
      if (payload.length > 0) this.#marksAnswered++;
      else this.#broken('empty-ping', 'A ping without a payload; its pong has one zero byte.');
    },
    closeFrame: (payload: Buffer): void => {
      this.#broken('close-frame', `A CLOSE frame; its ${payload.length} bytes are read as data.`);
      this.#onData(payload);
    },
    continuation: (): void => this.#broken('continuation-frame', 'A message came in several frames.'),
    torn: (): void => {
      this.#broken('torn-frame', 'The rest of a frame did not come within 10 ms. It dies of it.');
      this.#die('killed', 'A frame came in two parts, 10 ms apart.');
    },
    broken: (reason: string): void => {
      this.#broken('broken-frame', reason);
      this.#die('killed', `What came was no WebSocket frame: ${reason}.`);
    },
    secondConnection: (): void =>
      this.#broken('second-connection', 'Another program has connected; the end of either one ends it.'),
    closed: (): void => this.#die('disconnected', 'The other side ended the connection.'),
  };

  #onMessage(payload: Buffer, withUpgrade: boolean): void {
    this.#messagesReceived++;
    this.#bytesReceived += payload.length;
    const nowMs = this.#sinceUpgradeMs();
    if (this.#link?.late) {
      // The arrival time is unknown.
    } else if (withUpgrade || nowMs < WITH_UPGRADE_MS) {
      const held = withUpgrade ? '; it was read only when more came' : '';
      this.#broken('message-with-upgrade', `A message ${Math.round(nowMs)} ms after the upgrade${held}.`);
    } else if (nowMs < QUIET_START_MS) {
      this.#broken('early-message', `A message ${Math.round(nowMs)} ms after the upgrade.`);
    }
    this.#onData(payload);
  }

  #onData(payload: Buffer): void {
    this.#program.dataCame();
    for (const action of this.#receiver.push(payload, this.#sinceUpgradeMs())) this.#act(action);
  }

  #act(action: ReceiverAction): void {
    const nowMs = this.#sinceUpgradeMs();
    switch (action.kind) {
      case 'command': {
        const command = { line: action.line, atMs: nowMs };
        this.#commandCount++;
        this.#commands.push(command);
        if (this.#commands.length > KEPT_COMMANDS) this.#commands.shift();
        this.emit('command', command);
        return this.#program.run(action.line);
      }
      case 'audio':
        return this.#hear(action.samples, nowMs);
      case 'segment': {
        const missing = this.#playback.endSegment(nowMs);
        if (missing > 0)
          this.#broken('segment-not-padded', `A segment is ${missing} samples short of a block.`);
        return;
      }
      case 'mode':
        // This affects only the lips, not what is heard (protocol.md §4).
        return;
      case 'died':
        return action.how === 'disconnect'
          ? this.#dieLater(DEATH_BY_DISCONNECT_MS, 'killed', `It took ${action.rule} for a lost connection.`)
          : this.#die('killed', `It crashed: ${action.rule}.`);
    }
  }

  #hear(samples: Int16Array, nowMs: number): void {
    this.#audioFrames++;
    const mute = this.#program.muteReason;
    let dropped: DropReason | undefined = mute;
    if (mute) {
      this.#playback.refuse(samples.length, mute, nowMs);
      this.#broken(MUTE_RULES[mute], `${samples.length} samples are dropped.`);
    } else {
      this.#firstFrameMs ??= nowMs;
      const lost = this.#playback.push(samples, nowMs);
      if (lost > 0) {
        dropped = 'buffer-full';
        this.#broken('audio-beyond-buffer', `${lost} samples had no room in the buffer.`);
      }
    }
    if (this.listenerCount('audio') > 0)
      this.emit('audio', { samples, atMs: nowMs, ...(dropped ? { dropped } : {}) });
    const { dieAfterSamples } = this.#options.faults ?? {};
    if (dieAfterSamples !== undefined && this.#playback.receivedSamples >= dieAfterSamples)
      this.#die('left', 'It was made to vanish.');
  }

  #broken(rule: BrokenRule['rule'], detail: string): void {
    this.#rules.add(rule, detail, this.#sinceUpgradeMs());
  }

  #onBroken(broken: BrokenRule): void {
    const fields = { rule: broken.rule, section: broken.section, atMs: broken.atMs };
    if (broken.severity === 'fault') this.#logger.warn(fields, broken.detail);
    else this.#logger.debug(fields, broken.detail);
    this.emit('fault', broken);
  }

  #giveUp(reason: string, status: number | undefined): never {
    if (this.#ended.signal.aborted)
      throw new BridgeError('CLOSED', 'The simulated avatar left before it was let in.');
    this.#die('refused', `It was not let in at ${this.#url}: ${reason}.`);
    throw new BridgeError(
      status === undefined ? 'SERVICE_NOT_RUNNING' : 'AGENT_REFUSED',
      `The simulated avatar was not let in at ${this.#url}: ${reason}.`,
    );
  }

  #dieLater(delayMs: number, cause: DeathCause, detail: string): void {
    this.#deathTimers.push(this.#clock.after(delayMs, () => this.#die(cause, detail)));
  }

  #die(cause: DeathCause, detail: string): void {
    if (this.#state === 'dead') return;
    const atMs = this.#sinceUpgradeMs();
    this.#death = { cause, detail, atMs };
    for (const timer of this.#deathTimers) timer.cancel();
    this.#program.stop();
    this.#playback.die(atMs);
    this.#link?.destroy();
    this.#become('dead');
    this.#ended.abort();
    this.#logger.info({ cause, atMs }, `Dead: ${detail}`);
    this.emit('died', this.#death);
  }

  #become(next: SimulatorState): void {
    if (!NEXT_STATES[this.#state].includes(next))
      throw new BridgeError('INTERNAL', `A simulated avatar cannot go from ${this.#state} to ${next}.`);
    this.#state = next;
    this.emit('state', next);
  }

  #catchUp(): void {
    const nowMs = this.#sinceUpgradeMs();
    this.#playback.advance(nowMs);
    this.#receiver.checkWaiting(nowMs);
  }

  #sinceUpgradeMs(): number {
    return this.#upgradedAtMs === undefined ? 0 : this.#clock.nowMs() - this.#upgradedAtMs;
  }
}

const NEXT_STATES: Readonly<Record<SimulatorState, readonly SimulatorState[]>> = {
  new: ['connecting', 'dead'],
  connecting: ['starting', 'dead'],
  starting: ['ready', 'dead'],
  ready: ['dead'],
  dead: [],
};
