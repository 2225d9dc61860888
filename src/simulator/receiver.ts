import { isUtf8 } from 'node:buffer';
import type { RuleId, RuleLog } from './rules.js';

/** Size of the avatar's buffer in bytes, for text and audio together (protocol.md §2: 8,192 are too many). */
export const BUFFER_BYTES = 8_191;

/** Maximum length of a command's type and of its arguments (protocol.md §2). */
const MAX_LINE_PART_BYTES = 2_000;

/**
 * Length from which a line ends the program. Measured: 3,000 bytes survive, 8,190 do not; the limit is
 * between.
 */
const FATAL_LINE_BYTES = 4_096;

/** Time without an echo after which a command counts as failed, in ms (protocol.md §4, cues). */
const STUCK_AFTER_MS = 250;

const [NUL, LF, CR, S, N, D] = [0x00, 0x0a, 0x0d, 0x53, 0x4e, 0x44];

/** Length of a frame header: `SND` and four characters. */
const HEADER_BYTES = 7;

/** An action of the avatar in response to data. */
export type ReceiverAction =
  | { readonly kind: 'command'; readonly line: string }
  | { readonly kind: 'mode'; readonly mode: 'stream' | 'file' }
  | { readonly kind: 'segment' }
  | { readonly kind: 'audio'; readonly samples: Int16Array }
  /** It treats the bytes as a lost connection, or crashes. This is the last action. */
  | { readonly kind: 'died'; readonly how: 'disconnect' | 'crash'; readonly rule: RuleId };

/**
 * `running`: normal; `wedged`: it accepts bytes but runs and plays nothing, until its buffer is full and it
 * dies; `dead`.
 */
export type ReceiverState = 'running' | 'wedged' | 'dead';

/**
 * Reading side of the avatar (protocol.md §2): one buffer for text and sound, split into units regardless of
 * the boundaries of WebSocket messages. Pure: bytes and time in, actions out; broken rules go to the log.
 */
export class AvatarReceiver {
  readonly #log: RuleLog;
  readonly #stream: boolean;
  #state: ReceiverState = 'running';
  #pending: Uint8Array = new Uint8Array(0);
  #wedgedBytes = 0;
  /** Time since which a complete short text that starts with S waits for more bytes. */
  #shortTextSinceMs: number | undefined;

  /** @param options.stream true over plain TCP, where bytes come in any chunking (protocol.md §6) */
  constructor(log: RuleLog, options: { stream?: boolean | undefined } = {}) {
    this.#log = log;
    this.#stream = options.stream ?? false;
  }

  /** State; it acts only while `running`. */
  get state(): ReceiverState {
    return this.#state;
  }

  /** Bytes waiting for the rest of their unit. */
  get pendingBytes(): number {
    return this.#state === 'wedged' ? this.#wedgedBytes : this.#pending.length;
  }

  /**
   * Takes the payload of one message, or of a CLOSE frame, which the avatar reads as data too (protocol.md
   * §1). In stream mode, takes the next bytes, of which it reads as many at a time as fit its buffer.
   * @param message any bytes; not kept
   * @param nowMs milliseconds since the upgrade
   * @returns the actions of the avatar, in order
   */
  push(message: Uint8Array, nowMs: number): ReceiverAction[] {
    if (!this.#stream) return this.#push(message, nowMs);
    const actions: ReceiverAction[] = [];
    for (let at = 0; at < message.length && this.#state !== 'dead';) {
      const end = Math.max(at + 1, at + BUFFER_BYTES - this.pendingBytes);
      actions.push(...this.#push(message.subarray(at, end), nowMs));
      at = end;
    }
    return actions;
  }

  #push(message: Uint8Array, nowMs: number): ReceiverAction[] {
    if (this.#state === 'dead') return [];
    if (message.length === 0) return [this.#die('disconnect', 'empty-message', 'An empty message.', nowMs)];
    const before = this.pendingBytes;
    if (before + message.length > BUFFER_BYTES) {
      return [
        before === 0
          ? this.#die('disconnect', 'message-too-long', `A message of ${message.length} bytes.`, nowMs)
          : this.#die(
              'disconnect',
              'buffer-overflow',
              `${message.length} bytes came on top of ${before} that wait for their end.`,
              nowMs,
            ),
      ];
    }
    if (this.#state === 'wedged') {
      this.#wedgedBytes += message.length;
      return [];
    }
    if (before > 0 && this.#textIsOpen() && isWholeFrame(message)) {
      this.#wedge('unterminated-text', 'Sound after a text without its newline.', before, nowMs);
      this.#wedgedBytes += message.length;
      return [];
    }
    return this.#parse(before === 0 ? message : joined(this.#pending, message), before, nowMs);
  }

  /**
   * Notices a short text that has waited too long, for a report that is requested before the next bytes come.
   */
  checkWaiting(nowMs: number): void {
    const sinceMs = this.#shortTextSinceMs;
    if (sinceMs === undefined || nowMs - sinceMs <= STUCK_AFTER_MS) return;
    this.#shortTextSinceMs = undefined;
    this.#log.add('short-text-stuck', `A short text waited for ${Math.round(nowMs - sinceMs)} ms.`, nowMs);
  }

  #parse(data: Uint8Array, messageStart: number, nowMs: number): ReceiverAction[] {
    this.checkWaiting(nowMs);
    this.#shortTextSinceMs = undefined;
    const actions: ReceiverAction[] = [];
    let at = 0;
    let unitsOfThisMessage = 0;
    while (at < data.length) {
      const next = this.#unit(data, at, nowMs, actions);
      if (this.#state !== 'running') return actions;
      if (next === undefined) break;
      if (at >= messageStart) unitsOfThisMessage++;
      at = next;
    }
    if (unitsOfThisMessage > 1 && !this.#stream)
      this.#log.add('several-units', `${unitsOfThisMessage} units in one message.`, nowMs);
    this.#pending = data.slice(at);
    if (at < data.length) this.#noteWaiting(this.#pending, at >= messageStart, nowMs);
    return actions;
  }

  /** True when a text without its newline waits. */
  #textIsOpen(): boolean {
    return latin1(this.#pending.subarray(0, 3)) !== 'SND' && !this.#pending.some(isNewline);
  }

  /** Reads one unit at `at`. Returns its end, or undefined while it is incomplete. */
  #unit(data: Uint8Array, at: number, nowMs: number, actions: ReceiverAction[]): number | undefined {
    if (data[at] === S) {
      if (data.length - at < HEADER_BYTES) return undefined;
      if (data[at + 1] === N && data[at + 2] === D) return this.#sound(data, at, nowMs, actions);
    }
    return this.#text(data, at, nowMs, actions);
  }

  #sound(data: Uint8Array, at: number, nowMs: number, actions: ReceiverAction[]): number | undefined {
    const word = latin1(data.subarray(at + 3, at + HEADER_BYTES));
    const body = at + HEADER_BYTES;
    const action = MODE_WORDS[word];
    if (action) {
      if (this.#stream && data.length === body) return undefined;
      actions.push(action);
      if (data[body] === LF) return body + 1;
      if (data[body] === CR && data[body + 1] === LF) return body + 2;
      this.#log.add('mode-word-unterminated', `SND${word} without its newline.`, nowMs);
      return body;
    }
    const isFrame = /^\d{4}$/.test(word);
    if (!isFrame) this.#log.add('snd-without-frame', `${JSON.stringify(`SND${word}`)} is no sound.`, nowMs);
    // Parsed as by C's atoi in the real program: an invalid number counts as 0, and then only the 7 bytes are
    // consumed.
    const payloadBytes = Number(/^\s*([+-]?\d+)/.exec(word)?.[1] ?? 0);
    if (payloadBytes < 0) {
      actions.push(this.#die('crash', 'snd-without-frame', 'A payload of negative length.', nowMs));
      return undefined;
    }
    if (data.length < body + payloadBytes) return undefined;
    if (payloadBytes % 2 === 1)
      this.#log.add('odd-payload', `A payload of ${payloadBytes} bytes; its last byte is lost.`, nowMs);
    const samples = new Int16Array(payloadBytes >> 1);
    new Uint8Array(samples.buffer).set(data.subarray(body, body + samples.byteLength));
    if (samples.length > 0) actions.push({ kind: 'audio', samples });
    else if (isFrame) this.#log.add('empty-payload', 'A frame without a sample.', nowMs);
    return body + payloadBytes;
  }

  #text(data: Uint8Array, at: number, nowMs: number, actions: ReceiverAction[]): number | undefined {
    if (isNewline(data[at])) {
      if (data.subarray(at).every(isNewline)) {
        actions.push(this.#die('crash', 'newline-only', 'A newline alone.', nowMs));
      } else {
        this.#wedge('leading-newline', 'A newline before anything else.', data.length - at, nowMs);
      }
      return undefined;
    }
    let end = at;
    while (end < data.length && !isNewline(data[end]) && data[end] !== NUL) end++;
    if (end === data.length) return undefined;
    if (data[end] === NUL) {
      const detail = `A NUL after ${JSON.stringify(latin1(data.subarray(at, Math.min(end, at + 20))))}.`;
      this.#wedge('nul-in-text', detail, data.length - at, nowMs);
      return undefined;
    }
    const line = data.subarray(at, end);
    if (this.#lineKills(line, nowMs, actions)) return undefined;
    if (!isUtf8(line)) this.#log.add('invalid-utf8', 'A command that is not UTF-8.', nowMs);
    actions.push({ kind: 'command', line: utf8.decode(line) });
    while (isNewline(data[end])) end++;
    return end;
  }

  #lineKills(line: Uint8Array, nowMs: number, actions: ReceiverAction[]): boolean {
    if (line.length <= MAX_LINE_PART_BYTES) return false;
    const detail = `A command of ${line.length} bytes.`;
    if (line.length >= FATAL_LINE_BYTES) {
      actions.push(this.#die('crash', 'line-too-long', detail, nowMs));
      return true;
    }
    const bar = line.indexOf(0x7c);
    const typeBytes = bar < 0 ? line.length : bar;
    if (Math.max(typeBytes, line.length - typeBytes - 1) > MAX_LINE_PART_BYTES)
      this.#log.add('line-too-long', detail, nowMs);
    return false;
  }

  /** @param isNew false when its head came in an earlier message and was noted then */
  #noteWaiting(rest: Uint8Array, isNew: boolean, nowMs: number): void {
    const start = latin1(rest.subarray(0, 20));
    if (start.startsWith('SND') || 'SND'.startsWith(start)) {
      if (isNew && !this.#stream)
        this.#log.add('split-unit', `${rest.length} bytes of a sound, and not its end.`, nowMs);
    } else if (rest.some(isNewline)) {
      this.#shortTextSinceMs = nowMs;
      this.#log.add('short-text-waits', `${JSON.stringify(start)} waits for more bytes.`, nowMs);
    } else if (isNew && !this.#stream) {
      this.#log.add('unterminated-text', `${JSON.stringify(start)} without its newline.`, nowMs);
    }
  }

  #wedge(rule: RuleId, detail: string, bytes: number, nowMs: number): void {
    this.#log.add(rule, `${detail} It runs and plays nothing from now on.`, nowMs);
    this.#state = 'wedged';
    this.#wedgedBytes = bytes;
    this.#pending = new Uint8Array(0);
  }

  #die(how: 'disconnect' | 'crash', rule: RuleId, detail: string, nowMs: number): ReceiverAction {
    this.#log.add(rule, `${detail} It dies of it.`, nowMs);
    this.#state = 'dead';
    this.#pending = new Uint8Array(0);
    return { kind: 'died', how, rule };
  }
}

const MODE_WORDS: Readonly<Record<string, ReceiverAction>> = {
  STRM: { kind: 'mode', mode: 'stream' },
  FILE: { kind: 'mode', mode: 'file' },
  BRKS: { kind: 'segment' },
};

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

function isNewline(byte: number | undefined): boolean {
  return byte === LF || byte === CR;
}

/** True for a message that is exactly one sound frame. */
function isWholeFrame(message: Uint8Array): boolean {
  const digits = /^SND(\d{4})$/.exec(latin1(message.subarray(0, HEADER_BYTES)))?.[1];
  return digits !== undefined && message.length === HEADER_BYTES + Number(digits);
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const whole = new Uint8Array(first.length + second.length);
  whole.set(first);
  whole.set(second, first.length);
  return whole;
}
