import type { Duplex } from 'node:stream';

/** One frame of 40 ms with its heads and two marks fits (protocol.md §4). */
const ROOM_BYTES = 2048;

let room = Buffer.allocUnsafeSlow(ROOM_BYTES);

/**
 * Room for bytes that are put together and given to `writeFrom` at once, before room is asked for again. Nearly every
 * write is with the operating system when it returns, so one piece of memory serves them all: with memory of its own
 * for each frame, a hundred avatars had the garbage collector mark the whole heap every second (`npm run bench`, cpu).
 * @param bytes how many
 */
export function roomFor(bytes: number): Buffer {
  return bytes <= ROOM_BYTES ? room.subarray(0, bytes) : Buffer.allocUnsafeSlow(bytes);
}

/** Writes what was put together in `roomFor`'s room. What the system has not taken at once keeps its memory. */
export function writeFrom(socket: Duplex, bytes: Buffer): void {
  socket.write(bytes);
  if (socket.writableLength > 0 && bytes.buffer === room.buffer) room = Buffer.allocUnsafeSlow(ROOM_BYTES);
}
