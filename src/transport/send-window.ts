/** What may be under way to an avatar that has not said that it read it: 1.9 s of sound, and far less than a kernel takes. */
const MAX_BYTES = 65_536;
/** A mark of its own goes out behind so many bytes without another one. */
const MARK_EVERY_BYTES = MAX_BYTES / 4;
/** What a small write costs the kernel beyond its bytes, roughly. */
const UNIT_BYTES = 64;
/** How the payload of a mark of the window's own begins. */
const OWN = 'window-';
const OWN_BYTES = Buffer.from(OWN);

/**
 * How much may be handed to the operating system, by what the avatar has answered for: pings come back in order with
 * the data before them (protocol.md §5). A socket that is never filled takes each unit whole: no unit is ever half
 * written, so none can be cut in two when this process ends, or be held up between its halves (§2: 10 ms are fatal).
 * What has no room waits in this process, as whole units.
 */
export class SendWindow {
  #sentBytes = 0;
  #readBytes = 0;
  #markedBytes = 0;
  #nextMark = 1;
  #marks: { readonly payload: Uint8Array; readonly sentBytes: number }[] = [];

  /** Bytes under way. */
  get underWayBytes(): number {
    return this.#sentBytes - this.#readBytes;
  }

  /** True when a unit of that size may be written now. */
  hasRoom(bytes: number): boolean {
    return this.underWayBytes === 0 || this.underWayBytes + bytes + UNIT_BYTES <= MAX_BYTES;
  }

  /** A unit has been written. */
  sent(bytes: number): void {
    this.#sentBytes += bytes + UNIT_BYTES;
  }

  /** A mark has been written, by whomever. */
  marked(payload: Uint8Array): void {
    this.sent(payload.length);
    this.#markedBytes = this.#sentBytes;
    this.#marks.push({ payload, sentBytes: this.#sentBytes });
  }

  /** The payload of a mark that has to go out now, if one has. */
  dueMark(): Uint8Array | undefined {
    if (this.#sentBytes - this.#markedBytes < MARK_EVERY_BYTES) return undefined;
    return Buffer.from(`${OWN}${this.#nextMark++}`);
  }

  /** A mark has come back: all before it has been read. @returns true when it was one of the window's own */
  answered(payload: Uint8Array): boolean {
    const index = this.#marks.findIndex((mark) => Buffer.compare(mark.payload, payload) === 0);
    if (index >= 0) {
      this.#readBytes = this.#marks[index]!.sentBytes;
      this.#marks.splice(0, index + 1);
    }
    return Buffer.compare(payload.subarray(0, OWN.length), OWN_BYTES) === 0;
  }
}
