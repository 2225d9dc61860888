/** A unit sent by a program that was written for the avatar's own socket. */
export type ProgramUnit =
  | { readonly kind: 'command'; readonly line: string }
  | { readonly kind: 'mode'; readonly mode: 'stream' | 'file' }
  | { readonly kind: 'segment-end' }
  /** 16 kHz mono 16-bit little-endian samples: an even number of bytes, valid until the next push. */
  | { readonly kind: 'sound'; readonly bytes: Uint8Array }
  | { readonly kind: 'refused'; readonly reason: string };

/** Size of the avatar's buffer, in bytes: a longer line would end it (protocol.md §2). */
const MAX_LINE_BYTES = 8_191;

/** Length of a frame header: `SND` and four characters. */
const HEADER_BYTES = 7;

const [NUL, LF, CR] = [0x00, 0x0a, 0x0d];

const UNITS_BY_WORD: Readonly<Record<string, ProgramUnit>> = {
  STRM: { kind: 'mode', mode: 'stream' },
  FILE: { kind: 'mode', mode: 'file' },
  BRKS: { kind: 'segment-end' },
};

/**
 * Splits the data of a program into commands and sound by the avatar's rules (protocol.md §2 to §4): a unit
 * may be split across messages, and a message may hold several. Input that would crash the avatar is reported
 * as refused and skipped.
 */
export class ProgramReader {
  /** Incomplete unit, shorter than the longest line. */
  #pending: Buffer = Buffer.alloc(0);
  /** Bytes of the current frame's payload that are still to come. */
  #payloadBytes = 0;
  /** First byte of a sample whose second byte is still to come. */
  #oddByte: number | undefined;
  /** True while the rest of a line that is too long is skipped. */
  #skipsLine = false;

  /**
   * Takes the next bytes.
   * @param framing `message` for a whole WebSocket message, whose start ends a pending text; `stream` for TCP
   */
  push(bytes: Uint8Array, framing: 'message' | 'stream'): ProgramUnit[] {
    const units: ProgramUnit[] = [];
    if (framing === 'message' && this.#payloadBytes === 0 && beginsSound(bytes)) this.#endText(units);
    let data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (this.#pending.length > 0) data = Buffer.concat([this.#pending, data]);
    let at = 0;
    for (let next: number | undefined = 0; next !== undefined && at < data.length;) {
      next = this.#unit(data, at, units);
      at = next ?? at;
    }
    this.#pending = Buffer.from(data.subarray(at));
    if (this.#pending.length > MAX_LINE_BYTES) {
      units.push(tooLong(this.#pending));
      this.#pending = Buffer.alloc(0);
      this.#skipsLine = true;
    }
    return units;
  }

  /** Handles the end of the connection: a last line counts without its newline. */
  end(): ProgramUnit[] {
    const units: ProgramUnit[] = [];
    this.#endText(units);
    return units;
  }

  /** @returns the end of the unit at `at`, or undefined while it is incomplete */
  #unit(data: Buffer, at: number, units: ProgramUnit[]): number | undefined {
    if (this.#payloadBytes > 0) return this.#payload(data, at, units);
    if (this.#skipsLine) {
      const end = endOfLine(data, at);
      this.#skipsLine = end === -1;
      return end === -1 ? data.length : end;
    }
    // A leading newline hangs the avatar for good and has no meaning, so it is skipped.
    if (isNewline(data[at])) return at + 1;
    const head = data.toString('latin1', at, at + HEADER_BYTES);
    if ('SND'.startsWith(head.slice(0, 3)) && head.length < HEADER_BYTES)
      return this.#shortText(data, at, units);
    const word = head.startsWith('SND') ? head.slice(3) : undefined;
    const unit = word === undefined ? undefined : UNITS_BY_WORD[word];
    if (unit) {
      if (unit.kind === 'segment-end') this.#oddByte = undefined;
      units.push(unit);
      return at + HEADER_BYTES;
    }
    if (word !== undefined && /^\d{4}$/.test(word)) {
      this.#payloadBytes = Number(word);
      return at + HEADER_BYTES;
    }
    return this.#text(data, at, units);
  }

  /**
   * Handles a text such as `S` or `SND`: with its newline it is complete, otherwise it may still become a
   * frame.
   */
  #shortText(data: Buffer, at: number, units: ProgramUnit[]): number | undefined {
    return endOfLine(data, at) === -1 ? undefined : this.#text(data, at, units);
  }

  #text(data: Buffer, at: number, units: ProgramUnit[]): number | undefined {
    const end = endOfLine(data, at);
    if (end === -1) return undefined;
    pushLine(data.subarray(at, end), units);
    return end + 1;
  }

  #payload(data: Buffer, at: number, units: ProgramUnit[]): number {
    const end = Math.min(data.length, at + this.#payloadBytes);
    this.#payloadBytes -= end - at;
    let bytes: Buffer = data.subarray(at, end);
    if (this.#oddByte !== undefined) bytes = Buffer.concat([Buffer.of(this.#oddByte), bytes]);
    this.#oddByte = bytes.length % 2 === 1 ? bytes[bytes.length - 1] : undefined;
    const even = bytes.subarray(0, bytes.length & ~1);
    if (even.length > 0) units.push({ kind: 'sound', bytes: even });
    return end;
  }

  #endText(units: ProgramUnit[]): void {
    if (this.#pending.length > 0) pushLine(this.#pending, units);
    this.#pending = Buffer.alloc(0);
  }
}

function pushLine(line: Buffer, units: ProgramUnit[]): void {
  if (line.length > MAX_LINE_BYTES) units.push(tooLong(line));
  else if (line.includes(NUL)) units.push({ kind: 'refused', reason: `${shown(line)} holds a NUL` });
  else if (line.toString('latin1', 0, 3) === 'SND')
    units.push({ kind: 'refused', reason: `${shown(line)} begins with SND and is no frame` });
  else units.push({ kind: 'command', line: line.toString('utf8') });
}

function tooLong(line: Buffer): ProgramUnit {
  return { kind: 'refused', reason: `${shown(line)} is longer than ${MAX_LINE_BYTES} bytes` };
}

function shown(line: Buffer): string {
  const text = line.toString('utf8', 0, 60);
  return JSON.stringify(line.length > 60 ? `${text}…` : text);
}

function beginsSound(message: Uint8Array): boolean {
  const head = Buffer.from(message.subarray(0, HEADER_BYTES)).toString('latin1');
  return /^SND(?:\d{4}|STRM|FILE|BRKS)$/.test(head);
}

function endOfLine(data: Buffer, at: number): number {
  const newline = data.indexOf(LF, at);
  const limit = newline === -1 ? data.length : newline;
  const carriageReturn = data.subarray(at, limit).indexOf(CR);
  return carriageReturn === -1 ? newline : at + carriageReturn;
}

function isNewline(byte: number | undefined): boolean {
  return byte === LF || byte === CR;
}
