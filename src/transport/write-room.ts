import type { Duplex } from 'node:stream';

/** One frame of 40 ms with its heads and two marks fits (protocol.md §4). */
const ROOM_BYTES = 2048;

let room = Buffer.allocUnsafeSlow(ROOM_BYTES);
/** The beginning of the room that was asked for last: most writes are of one size. */
let asked = room;

/**
 * Room for bytes that are put together and given to `writeFrom` at once, before room is asked for again. Nearly every
 * write is with the operating system when it returns, so one piece of memory serves them all: with memory of its own
 * for each frame, a hundred avatars had the garbage collector mark the whole heap every second (`npm run bench`, cpu).
 * @param bytes how many
 */
export function roomFor(bytes: number): Buffer {
  if (bytes > ROOM_BYTES) return Buffer.allocUnsafeSlow(bytes);
  if (bytes !== asked.length) asked = room.subarray(0, bytes);
  return asked;
}

/** Writes what was put together in `roomFor`'s room. What the system has not taken at once keeps its memory. */
export function writeFrom(socket: Duplex, bytes: Buffer): void {
  socket.write(bytes);
  if (socket.writableLength > 0 && bytes === asked) room = asked = Buffer.allocUnsafeSlow(ROOM_BYTES);
}
