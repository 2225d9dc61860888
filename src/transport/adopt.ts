import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import { FrameBoundary } from './frame-boundary.js';
import { Resynchroniser } from './resynchroniser.js';

/** Maximum payload of an incoming message. An avatar's have at most 2,047 bytes (protocol.md §1). */
export const MAX_PAYLOAD_BYTES = 16_384;

/** Options of `ws` for an avatar's connection, whether it made the upgrade itself or not. */
export const WEB_SOCKET_OPTIONS = {
  perMessageDeflate: false,
  allowSynchronousEvents: true,
  // See `WebSocketConnection`: with too many waiting pongs, the library would end the connection.
  autoPong: false,
  maxPayload: MAX_PAYLOAD_BYTES,
  // A message cut in the middle of a character must not end the connection (protocol.md §1).
  skipUTF8Validation: true,
} as const;

/** Method of `ws` that completes an upgrade, which is absent from its types. */
interface Upgradable {
  setSocket(socket: Socket, head: Buffer, options: typeof WEB_SOCKET_OPTIONS): void;
}

/**
 * Makes a server's WebSocket from a connection that was upgraded elsewhere. Only here the project depends on the inside
 * of `ws` (as of 8.23: its constructor without an address, `setSocket`, and that it reads by a `data` listener); a test
 * fails when a new version differs.
 * @param socket not read from in this process
 * @param options.whole true when its next byte begins a message; else reading starts at the next message
 * @param options.onStep called once reading starts, with the number of skipped bytes
 * @returns the WebSocket, and the tracker of its incoming frames
 */
export function adoptWebSocket(
  socket: Socket,
  options: { whole: boolean; onStep?: (skippedBytes: number) => void },
): { webSocket: WebSocket; inbound: FrameBoundary } {
  const Adopted = WebSocket as unknown as new (
    address: null,
    protocols: undefined,
    options: typeof WEB_SOCKET_OPTIONS,
  ) => WebSocket & Upgradable;
  const webSocket = new Adopted(null, undefined, WEB_SOCKET_OPTIONS);
  webSocket.setSocket(socket, Buffer.alloc(0), WEB_SOCKET_OPTIONS);
  const inbound = followFrames(socket, options.whole);
  if (!options.whole) skipToMessage(socket, options.onStep);
  return { webSocket, inbound };
}

/**
 * Tracks the incoming frames on a WebSocket's socket.
 * @param known true when the next byte begins one
 */
export function followFrames(socket: Duplex, known = true): FrameBoundary {
  const inbound = new FrameBoundary(known);
  // Before the WebSocket's own listener, so that the tracker is up to date when the WebSocket's events are emitted.
  socket.prependListener('data', (chunk: Buffer) => inbound.push(chunk));
  return inbound;
}

function skipToMessage(socket: Socket, onStep: ((skippedBytes: number) => void) | undefined): void {
  const listeners = socket.listeners('data') as ((chunk: Buffer) => void)[];
  const resynchroniser = new Resynchroniser();
  const onData = (chunk: Buffer): void => {
    const rest = resynchroniser.push(chunk);
    if (!rest) return;
    socket.off('data', onData);
    for (const listener of listeners) socket.on('data', listener);
    onStep?.(resynchroniser.skippedBytes);
    for (const listener of listeners) listener.call(socket, rest);
  };
  for (const listener of listeners) socket.off('data', listener);
  socket.on('data', onData);
}
