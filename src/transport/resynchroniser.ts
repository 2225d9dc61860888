/** Maximum length of an avatar's message (protocol.md §1). */
const MAX_TEXT_BYTES = 2047;
const [FIN_TEXT, FIN_PONG, MASKED, LF, DEL] = [0x81, 0x8a, 0x80, 0x0a, 0x7f];

/** Bytes after which the search is given up: the longest frame has 2,055 bytes. */
const MAX_BUFFERED_BYTES = 16_384;

/**
 * Finds the next message in an avatar's bytes when their beginning is unknown: a process that ended may have read any
 * part of a message. Pure: takes bytes, and returns all bytes from the next message on once it is found.
 *
 * The result is the first position from which whole frames follow each other to the end of the bytes, except for one
 * unfinished frame.
 */
export class Resynchroniser {
  #data: Uint8Array = new Uint8Array(0);
  #skippedBytes = 0;

  /** Number of skipped bytes, which belong to a message whose beginning is lost. */
  get skippedBytes(): number {
    return this.#skippedBytes;
  }

  /**
   * @param chunk the next bytes, in any chunking
   * @returns all bytes from the first message on, once it is found; nothing is buffered after that
   */
  push(chunk: Uint8Array): Buffer | undefined {
    this.#data = this.#data.length === 0 ? chunk : Buffer.concat([this.#data, chunk]);
    for (let at = 0; at < this.#data.length; at += 1) {
      if (!this.#chains(at)) continue;
      const rest = Buffer.from(this.#data.subarray(at));
      this.#skip(this.#data.length);
      this.#skippedBytes -= rest.length;
      return rest;
    }
    if (this.#data.length > MAX_BUFFERED_BYTES) this.#skip(this.#data.length - MAX_BUFFERED_BYTES / 2);
    return undefined;
  }

  #chains(at: number): boolean {
    let frames = 0;
    for (let next = at; next < this.#data.length;) {
      const guess = guessFrame(this.#data, next);
      if (guess === 'none') return false;
      if (guess === 'unfinished') break;
      frames += 1;
      next = guess.end;
    }
    return frames > 0;
  }

  #skip(bytes: number): void {
    this.#skippedBytes += bytes;
    this.#data = new Uint8Array(this.#data.subarray(bytes));
  }
}

/** Result at one position: a frame with its end, the beginning of a frame, or none. */
type FrameGuess = { readonly end: number } | 'unfinished' | 'none';

/**
 * Returns whether the bytes at `at` can be a frame of an avatar (RFC 6455 §5.2): whole and masked, a text line or the
 * answer to one of our marks. An avatar sends nothing else (protocol.md §1), so its frames are easy to recognise.
 */
function guessFrame(data: Uint8Array, at: number): FrameGuess {
  const first = data[at];
  if (first === undefined) return 'unfinished';
  if (first !== FIN_TEXT && first !== FIN_PONG) return 'none';
  const second = data[at + 1];
  if (second === undefined) return 'unfinished';
  if (!(second & MASKED)) return 'none';
  let length = second & 0x7f;
  let headBytes = 2;
  if (length === 127 || (first === FIN_PONG && length === 126)) return 'none';
  if (length === 126) {
    if (at + 4 > data.length) return 'unfinished';
    length = (data[at + 2]! << 8) | data[at + 3]!;
    headBytes = 4;
    if (length < 126 || length > MAX_TEXT_BYTES) return 'none';
  }
  if (length === 0) return 'none';
  const start = at + headBytes + 4;
  const end = start + length;
  // An incomplete payload can already rule a frame out.
  const payload = unmasked(data, start - 4, Math.min(end, data.length));
  const whole = end <= data.length;
  if (first === FIN_PONG ? !isMark(payload, whole) : !isText(payload, whole)) return 'none';
  return whole ? { end } : 'unfinished';
}

function unmasked(data: Uint8Array, maskAt: number, end: number): Uint8Array {
  const start = maskAt + 4;
  // Copied: `slice` of a Buffer would share the bytes.
  const payload = new Uint8Array(data.subarray(start, Math.max(start, end)));
  for (let i = 0; i < payload.length; i += 1) payload[i]! ^= data[maskAt + (i & 3)]!;
  return payload;
}

/** Marks of this project are words followed by a number. */
function isMark(payload: Uint8Array, whole: boolean): boolean {
  const text = Buffer.from(payload).toString('latin1');
  return whole ? /^[a-z]+-\d+$/.test(text) : /^[a-z]*(-\d*)?$/.test(text);
}

/** A line without control characters that ends in a newline, or was cut at the longest length (protocol.md §1). */
function isText(payload: Uint8Array, whole: boolean): boolean {
  for (const byte of payload) {
    if ((byte < 0x20 && byte !== LF && byte !== 0x0d && byte !== 0x09) || byte === DEL) return false;
  }
  return !whole || payload.at(-1) === LF || payload.length === MAX_TEXT_BYTES;
}
