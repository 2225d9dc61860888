import type { Duplex } from 'node:stream';

/** One frame of 40 ms with its heads and two marks fits (protocol.md §4). */
const ROOM_BYTES = 2048;

let room = Buffer.allocUnsafeSlow(ROOM_BYTES);
/** Part of the room requested last: most writes have the same size. */
let asked = room;

/**
 * Returns room for bytes that are filled in and passed to `writeFrom` before room is requested again. Nearly every write
 * has left when it returns, so one piece of memory serves them all: with separate memory for each frame, a hundred
 * avatars made the garbage collector mark the whole heap every second (`npm run bench`, cpu).
 * @param bytes size of the room
 */
export function roomFor(bytes: number): Buffer {
  if (bytes > ROOM_BYTES) return Buffer.allocUnsafeSlow(bytes);
  if (bytes !== asked.length) asked = room.subarray(0, bytes);
  return asked;
}

/** Writes the bytes filled into `roomFor`'s room. Bytes that the system has not taken at once keep their memory. */
export function writeFrom(socket: Duplex, bytes: Buffer): void {
  socket.write(bytes);
  if (socket.writableLength > 0 && bytes === asked) room = asked = Buffer.allocUnsafeSlow(ROOM_BYTES);
}
