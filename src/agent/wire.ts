import { endianness } from 'node:os';
import { BridgeError } from '../base/errors.js';
import { dangerOf } from './danger.js';

/*
 * Grammar of the avatar's wire and every limit of protocol.md §2 to §4, as pure functions. Every outgoing message is
 * made here: a WireUnit is the only thing a connection sends, and only this file can make one.
 */

/** Maximum length of a command's type, in UTF-8 bytes (protocol.md §2). */
export const MAX_TYPE_BYTES = 2000;

/** Maximum length of a command's arguments, with their `|`, in UTF-8 bytes. */
export const MAX_ARGUMENTS_BYTES = 2000;

/** Maximum length of a message from the avatar, with its newline; longer ones are cut (protocol.md §1). */
export const MAX_INBOUND_BYTES = 2047;

/** Maximum length of a command, in UTF-8 bytes without its newline; the echo of a longer one would be cut. */
export const MAX_LINE_BYTES = MAX_INBOUND_BYTES - 1;

/** Minimum length of a text unit that begins with S; the avatar waits for more bytes of a shorter one (protocol.md §2). */
export const MIN_S_UNIT_BYTES = 7;

/** `SND` and four digits. */
const FRAME_HEADER_BYTES = 7;

/** Samples in the largest frame, 40 ms: with all headers it fits one TCP segment (protocol.md §2). */
export const MAX_FRAME_SAMPLES = 640;

/** Prefix that issues the rest as a message inside the avatar (protocol.md §3). */
export const MESSAGE_PREFIX = '__AV_MESSAGE,';

/** Maximum length of an outgoing message, in bytes: far below the 8,192 at which the avatar dies (protocol.md §2). */
export const MAX_MESSAGE_BYTES = MESSAGE_PREFIX.length + MAX_LINE_BYTES + 1;

/** External control on (protocol.md §3). Echoed as `AVATAR|START`. */
export const START_COMMAND = '__AV_START';

/** External control off (protocol.md §3). Echoed as `AVATAR|END`. */
export const END_COMMAND = '__AV_END';

/** Prefix before the alias of the model that moves its lips (protocol.md §3). */
export const SET_MODEL = '__AV_SETMODEL,';

/** Prefix before the mode that switches its own lip-sync off (protocol.md §3). */
export const AUTO_LIP_OFF = '__AVCONF_DISABLEAUTOLIP,';

const BIG_ENDIAN = endianness() === 'BE';
const SND = Buffer.from('SND');
const ZERO_DIGIT = 0x30;

const NO_SAMPLES = new Int16Array(0);
const NO_BYTES = new Uint8Array(0);

/** One whole message for the avatar that keeps every rule of protocol.md §2. Only this file makes one. */
export class WireUnit {
  readonly kind: 'command' | 'frame' | 'segment-end';
  /** Samples of a frame, 1 to 640; empty for other units. */
  readonly samples: Int16Array;
  /** Text of a command without its newline; empty for other units. */
  readonly line: string;
  readonly byteLength: number;
  /** Number of extra newlines at its end. */
  readonly padding: number;
  readonly #text: Uint8Array;

  /** @internal See `encodeCommand` and `encodeFrame`. */
  constructor(
    kind: WireUnit['kind'],
    text: Uint8Array,
    samples: Int16Array = NO_SAMPLES,
    { line = '', padding = 0 } = {},
  ) {
    this.kind = kind;
    this.samples = samples;
    this.line = line;
    this.padding = padding;
    this.#text = text;
    this.byteLength = kind === 'frame' ? FRAME_HEADER_BYTES + samples.length * 2 : text.length;
  }

  /**
   * Writes it into memory.
   * @param target at least `byteLength` from `at` on
   * @returns offset after it
   */
  writeTo(target: Uint8Array, at: number): number {
    const end = at + this.byteLength;
    if (this.kind !== 'frame') {
      target.set(this.#text, at);
      return end;
    }
    const { samples } = this;
    const payloadBytes = samples.length * 2;
    target.set(SND, at);
    for (let digit = at + 3, place = 1000; digit < at + FRAME_HEADER_BYTES; digit += 1, place /= 10) {
      target[digit] = ZERO_DIGIT + (Math.floor(payloadBytes / place) % 10);
    }
    target.set(new Uint8Array(samples.buffer, samples.byteOffset, payloadBytes), at + FRAME_HEADER_BYTES);
    if (BIG_ENDIAN)
      Buffer.from(target.buffer, target.byteOffset + at + FRAME_HEADER_BYTES, payloadBytes).swap16();
    return end;
  }

  /** Returns a copy with its own samples: those of a frame may belong to the sender, who changes them. */
  copy(): WireUnit {
    return this.kind === 'frame' ? new WireUnit('frame', NO_BYTES, this.samples.slice()) : this;
  }
}

/** Plays sound as a whole, without cutting silence: the mode used for everything (protocol.md §4). */
export const MODE_FILE = new WireUnit('command', Buffer.from('SNDFILE\n'), NO_SAMPLES, { line: 'SNDFILE' });

/** Cuts the lip-sync by voice activity: the avatar's default, slower to open the lips. */
export const MODE_STREAM = new WireUnit('command', Buffer.from('SNDSTRM\n'), NO_SAMPLES, { line: 'SNDSTRM' });

/** Ends a segment of sound. Samples beyond the last whole block are lost here (protocol.md §4). */
export const SEGMENT_END = new WireUnit('segment-end', Buffer.from('SNDBRKS\n'));

/**
 * Encodes a command line as one message: UTF-8, ended by one newline, or by several when it begins with S and is so
 * short that the avatar would wait for more.
 * @param line `TYPE|arg|arg…` without a newline
 * @param options.allowDangerous allows commands that can run programs or end the avatar
 * @param options.boundModels aliases of models whose lips are or will be bound: changing those in place is dangerous
 * @throws BridgeError COMMAND_INVALID naming the broken rule, COMMAND_DANGEROUS naming the danger
 */
export function encodeCommand(
  line: string,
  options: { allowDangerous?: boolean | undefined; boundModels?: readonly string[] | undefined } = {},
): WireUnit {
  const broken = brokenRule(line);
  if (broken !== undefined) {
    throw new BridgeError('COMMAND_INVALID', `The command ${quote(line)} was not sent: ${broken}.`);
  }
  const danger = options.allowDangerous === true ? undefined : dangerOf(line, options.boundModels);
  if (danger !== undefined) {
    throw new BridgeError('COMMAND_DANGEROUS', `The command ${quote(line)} was not sent: it ${danger}.`);
  }
  let newlines = 1;
  if (line.startsWith('S')) {
    newlines = Math.max(1, MIN_S_UNIT_BYTES - Buffer.byteLength(line));
  }
  const text = Buffer.from(line + '\n'.repeat(newlines));
  return new WireUnit('command', text, NO_SAMPLES, { line, padding: newlines - 1 });
}

/** Returns the rule of protocol.md that a command line breaks, as the end of a sentence, or undefined. */
function brokenRule(line: string): string | undefined {
  if (line.trim() === '') return 'it is empty, and an empty message ends the avatar';
  if (/[\r\n]/.test(line)) {
    return 'it holds a line break, and a message is one line; send lines one by one';
  }
  if (line.includes('\0')) return 'it holds a NUL character, at which the avatar stops reading';
  if (/\p{Surrogate}/u.test(line)) return 'it holds half a surrogate pair, which is no text in UTF-8';
  if (line.startsWith('SND')) {
    return 'it begins with SND, which the avatar reads as sound';
  }
  const word = brokenWord(line);
  if (word !== undefined) return word;
  const wrapped = line.startsWith(MESSAGE_PREFIX);
  const message = wrapped ? line.slice(MESSAGE_PREFIX.length) : line;
  const bar = message.indexOf('|');
  const type = bar === -1 ? message : message.slice(0, bar);
  if (type.trim() === '') {
    return wrapped ? `there is no message type after ${MESSAGE_PREFIX}` : 'it has no type before its first |';
  }
  const typeBytes = Buffer.byteLength(type);
  if (typeBytes > MAX_TYPE_BYTES) {
    return `its type has ${typeBytes} bytes in UTF-8, and the limit is ${MAX_TYPE_BYTES}`;
  }
  const argumentsBytes = bar === -1 ? 0 : Buffer.byteLength(message.slice(bar + 1));
  if (argumentsBytes > MAX_ARGUMENTS_BYTES) {
    return `its arguments have ${argumentsBytes} bytes in UTF-8, and the limit is ${MAX_ARGUMENTS_BYTES}`;
  }
  const lineBytes = typeBytes + argumentsBytes + (bar === -1 ? 0 : 1);
  if (lineBytes > MAX_LINE_BYTES) {
    return `it has ${lineBytes} bytes in UTF-8, and the limit of a whole line is ${MAX_LINE_BYTES}`;
  }
  return undefined;
}

/** Checks the wire's own commands that change a speech: the avatar ignores an invalid one without an answer. */
function brokenWord(line: string): string | undefined {
  const word = /^__AV(?:_START|_END|_SETMODEL|CONF_DISABLEAUTOLIP)/.exec(line)?.[0];
  if (word === undefined) return undefined;
  const rest = line.slice(word.length);
  switch (word) {
    case '__AV_SETMODEL':
      if (/^,[^,|]+$/.test(rest) && !rest.includes('__AV')) return undefined;
      return 'after __AV_SETMODEL comes a comma and the alias of one model, and nothing else';
    case '__AVCONF_DISABLEAUTOLIP':
      if (/^,(?:NO|ARKIT|AU|ARKIT\+AU|AU\+ARKIT|ALWAYS)$/.test(rest)) return undefined;
      return 'after __AVCONF_DISABLEAUTOLIP comes a comma and NO, ARKIT, AU, ARKIT+AU or ALWAYS, and nothing else';
    default:
      return rest === '' ? undefined : `nothing may follow ${word}`;
  }
}

/** Formats a command for error messages: control characters escaped, and cut short. */
function quote(line: string): string {
  return JSON.stringify(line.length > 60 ? `${line.slice(0, 60)}…` : line);
}

/**
 * Encodes sound as one message: `SND`, four decimal digits, 16-bit little-endian samples (protocol.md §4).
 * @param samples 16 kHz mono, 1 to 640 of them; not copied, so they must not change until the unit has been sent
 * @throws BridgeError INTERNAL when the count is out of that range
 */
export function encodeFrame(samples: Int16Array): WireUnit {
  const count = samples.length;
  if (count === 0 || count > MAX_FRAME_SAMPLES) {
    throw new BridgeError(
      'INTERNAL',
      `A frame of ${count} samples was asked for; it holds 1 to ${MAX_FRAME_SAMPLES}.`,
    );
  }
  return new WireUnit('frame', NO_BYTES, samples);
}

/**
 * Checks a model's alias: it must survive both `|` and `,` as separators, since `__AV_SETMODEL,alias` splits at commas.
 * @returns the alias unchanged
 * @throws BridgeError COMMAND_INVALID
 */
export function checkAlias(alias: string): string {
  if (alias.trim() === '' || /[|,\r\n\0]|\p{Surrogate}/u.test(alias)) {
    throw new BridgeError(
      'COMMAND_INVALID',
      `The model alias ${quote(alias)} cannot be sent: an alias has at least one character and neither | nor , nor a line break.`,
    );
  }
  return alias;
}

/** Selects the model that moves its lips. Once per connection and model: repeating it can crash (protocol.md §3). */
export function setModelCommand(alias: string): string {
  return SET_MODEL + checkAlias(alias);
}

/** Probes the avatar: the message of `isProbeAnswer` comes once the model is loaded. */
export function probeCommand(alias: string): string {
  return `LIPSYNC_START|${checkAlias(alias)}|sil,10`;
}

/** True for the message that answers `probeCommand(alias)`. */
export function isProbeAnswer(message: AgentMessage, alias: string): boolean {
  return message.type === 'LIPSYNC_EVENT_START' && message.args[0] === alias;
}

/** Closes lips that were left half-open by a stop in mid-speech (protocol.md §4, Lips). */
export function closeMouthCommand(alias: string): string {
  return `LIPSYNC_START|${checkAlias(alias)}|sil,30`;
}

/** Condition under which the avatar leaves its lips to us: never, with face data of one or both kinds, or always (§3). */
export type AutoLipOff = 'NO' | 'ARKIT' | 'AU' | 'ARKIT+AU' | 'ALWAYS';

/** Sets when the lips do not follow the sound by themselves. After ALWAYS in mid-speech, close the mouth (§4). */
export function autoLipCommand(off: AutoLipOff): string {
  return AUTO_LIP_OFF + off;
}

/**
 * Returns the payload of a ping that marks a position in the sent data (protocol.md §5). Never empty: an empty ping
 * comes back as a pong of one zero byte (§2).
 * @param id a counter of the connection
 */
export function encodeMark(id: number): Uint8Array {
  return Buffer.from(`mark-${id}`);
}

/** Returns the counter in a pong's payload, or undefined when it is not one of our marks. */
export function decodeMark(payload: Uint8Array): number | undefined {
  const match = /^mark-(\d{1,15})$/.exec(Buffer.from(payload).toString('latin1'));
  return match ? Number(match[1]) : undefined;
}

/** Returns a text line that marks a position in the sent data without pings: its echo comes in order (protocol.md §6). */
export function encodeEchoMark(id: number): Uint8Array {
  return Buffer.from(`BRIDGE_MARK|${id}\n`);
}

/** Returns the counter in the echo of a mark, or undefined when the message is none. */
export function decodeEchoMark(message: AgentMessage): number | undefined {
  const [id = ''] = message.args;
  return message.type === 'BRIDGE_MARK' && /^\d{1,15}$/.test(id) ? Number(id) : undefined;
}

/** One line that the avatar sent. */
export interface AgentMessage {
  /** The line without its newline. */
  readonly text: string;
  /** Text before the first `|`. */
  readonly type: string;
  /** Fields after the first `|`, separated by `|`; empty when there is no `|`. */
  readonly args: readonly string[];
  /** True when the avatar cut it at 2,047 bytes; the last argument is then incomplete (protocol.md §1). */
  readonly truncated: boolean;
  /** Set when it came as a line of the avatar's log (`Plugin_Remote_AllLog=true`). */
  readonly log?: LogLine | undefined;
}

/** A line of the avatar's log. */
export interface LogLine {
  /** Module of the avatar that wrote it: `MMDAgent`, `Remote` and others. */
  readonly module: string;
  /** `Sent`: a message was issued; `Captured`: a module acts on one; the others are for people. */
  readonly level: 'Error' | 'Warning' | 'Status' | 'Debug' | 'Sent' | 'Captured';
  /** Text after the head. */
  readonly text: string;
}

/** `[2026/11/28 11:33:34.317] [41916] Module: Level: text`. */
const LOG_LINE =
  /^\[\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d(?:\.\d{3})?\] \[\d+\] ([^:]+): (Error|Warning|Status|Debug|Sent|Captured): (.*)$/s;

/**
 * Parses a line. Every line is a valid message. A message issued inside the avatar gives the same result from a line of
 * the log.
 */
export function parseMessage(line: string, truncated = false): AgentMessage {
  const head = line.startsWith('[') ? LOG_LINE.exec(line) : null;
  const log = head ? { module: head[1]!, level: head[2] as LogLine['level'], text: head[3]! } : undefined;
  const text = log?.level === 'Sent' ? log.text : line;
  const [type = '', ...args] = text.split('|');
  return { text, type, args, truncated, log };
}

const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/**
 * Reads messages from the avatar's bytes. Lenient: broken UTF-8 is replaced, empty lines are skipped, and a line that the
 * avatar cut is returned as far as it goes (protocol.md §1).
 */
export class MessageReader {
  readonly #whole: boolean;
  #rest: Uint8Array = new Uint8Array(0);

  /**
   * @param options.framing `messages` when every push is a whole WebSocket message, so that a last line without a newline
   * was cut; `stream` for TCP, where it may continue with the next push (protocol.md §6)
   */
  constructor(options: { framing?: 'messages' | 'stream' } = {}) {
    this.#whole = (options.framing ?? 'messages') === 'messages';
  }

  /** @returns the messages that are complete with these bytes, in order */
  push(bytes: Uint8Array): AgentMessage[] {
    const messages: AgentMessage[] = [];
    let data = bytes;
    if (this.#rest.length > 0) {
      data = Buffer.concat([this.#rest, bytes]);
      this.#rest = new Uint8Array(0);
    }
    let start = 0;
    while (start < data.length) {
      const newline = data.indexOf(NEWLINE, start);
      const end = newline === -1 ? data.length : newline;
      if (newline !== -1 && newline - start < MAX_INBOUND_BYTES) {
        add(messages, data.subarray(start, newline), false);
        start = newline + 1;
      } else if (this.#whole) {
        add(messages, data.subarray(start, Math.min(end, start + MAX_INBOUND_BYTES)), true);
        start = end + 1;
      } else if (data.length - start >= MAX_INBOUND_BYTES) {
        add(messages, data.subarray(start, start + MAX_INBOUND_BYTES), true);
        start += MAX_INBOUND_BYTES;
      } else {
        // Copied, since the caller may reuse the buffer. Always shorter than the longest message.
        this.#rest = new Uint8Array(data.subarray(start));
        break;
      }
    }
    return messages;
  }
}

function add(messages: AgentMessage[], bytes: Uint8Array, truncated: boolean): void {
  const end = bytes.at(-1) === CARRIAGE_RETURN ? bytes.length - 1 : bytes.length;
  if (end === 0) return;
  // Streaming mode drops a partial character at the end, which would otherwise become U+FFFD.
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  messages.push(parseMessage(decoder.decode(bytes.subarray(0, end), { stream: truncated }), truncated));
}
