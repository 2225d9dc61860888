import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { FRAME_MS, LEAD_MS, speechLikeNoise, watchWindow, type Window, type WindowReport } from './load.js';
import { now, sleep } from './now.js';
import { serve } from './processes.js';

/*
 * The baseline of the load benches: the same frames to as many sockets and nothing else. No WebSocket library, no
 * queue, no conversion, no marks; the handshake and the set-up that the simulated avatars need, and `socket.write`.
 */

const HANDSHAKE_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const SLOT_MS = 5;

const sockets: Socket[] = [];
let sentFrames = 0;
let latenessMs: number[] | undefined;
let speaking = false;

const server = createServer();
server.on('upgrade', (request, socket: Socket) => {
  const accept = createHash('sha1')
    .update(`${request.headers['sec-websocket-key']}${HANDSHAKE_GUID}`)
    .digest('base64');
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  socket.resume();
  sockets.push(socket);
});

/** A server's WebSocket frame of fewer than 65,536 bytes (RFC 6455 §5.2). */
function webSocketFrame(payload: Buffer, opcode: number): Buffer {
  const head = payload.length < 126 ? [payload.length] : [126, payload.length >> 8, payload.length & 255];
  return Buffer.concat([Buffer.from([0x80 | opcode, ...head]), payload]);
}

function audioFrames(seconds: number): Buffer[] {
  const sound = Buffer.from(speechLikeNoise(seconds).buffer);
  const frames: Buffer[] = [];
  for (let at = 0; at + 1280 <= sound.length; at += 1280) {
    frames.push(webSocketFrame(Buffer.concat([Buffer.from('SND1280'), sound.subarray(at, at + 1280)]), 2));
  }
  return frames;
}

/** One stream's frames from a start on: the lead at once, then each at its absolute moment. */
class Stream {
  #sent = 0;

  constructor(
    readonly socket: Socket,
    readonly frames: readonly Buffer[],
    readonly startMs: number,
  ) {}

  get dueMs(): number {
    return this.startMs + Math.max(0, this.#sent * FRAME_MS - LEAD_MS);
  }

  send(): void {
    const { dueMs } = this;
    this.socket.write(this.frames[this.#sent % this.frames.length]!);
    this.#sent += 1;
    sentFrames += 1;
    latenessMs?.push(now() - dueMs);
  }

  /** Its own timer, for itself alone. */
  run(): void {
    if (!speaking) return;
    while (this.dueMs <= now()) this.send();
    setTimeout(() => this.run(), Math.ceil(this.dueMs - now()));
  }
}

/** One timer for all: what is due in a slot is sent together, and nothing else is looked at. */
function runShared(streams: readonly Stream[]): void {
  const phases = FRAME_MS / SLOT_MS;
  const byPhase = Array.from({ length: phases }, () => [] as Stream[]);
  for (const stream of streams) byPhase[Math.round(stream.dueMs / SLOT_MS) % phases]!.push(stream);
  let slot = Math.floor(now() / SLOT_MS);
  const wake = (): void => {
    if (!speaking) return;
    const nowMs = now();
    for (; slot * SLOT_MS <= nowMs; slot += 1) {
      for (const stream of byPhase[slot % phases]!) while (stream.dueMs <= nowMs) stream.send();
    }
    setTimeout(wake, Math.ceil(slot * SLOT_MS - now()));
  };
  wake();
}

const tasks = {
  /** @returns the port */
  listen(): Promise<number> {
    return new Promise((resolve) => {
      server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
    });
  },
  /** Sends to every socket without end, their starts spread evenly over a time. */
  async speak({
    timers,
    spreadMs,
    seconds,
  }: {
    timers: 'own' | 'shared';
    spreadMs: number;
    seconds: number;
  }): Promise<void> {
    await sleep(100);
    for (const socket of sockets) {
      socket.write(webSocketFrame(Buffer.from('__AV_START\n'), 1));
      socket.write(webSocketFrame(Buffer.from('__AV_SETMODEL,0\n'), 1));
    }
    const frames = audioFrames(seconds);
    const startMs = Math.ceil(now() / SLOT_MS + 1) * SLOT_MS;
    speaking = true;
    const streams = sockets.map((socket, i) => {
      const offsetMs = (spreadMs * i) / sockets.length;
      // With a shared timer all that is due in a slot is due at its boundary, as it is with the bridge.
      const alignedMs = timers === 'shared' ? Math.ceil(offsetMs / SLOT_MS) * SLOT_MS : offsetMs;
      return new Stream(socket, frames, startMs + alignedMs);
    });
    if (timers === 'shared') runShared(streams);
    else for (const stream of streams) stream.run();
    await sleep(spreadMs);
  },
  /** Measures for a while. */
  async measure(window: Window): Promise<WindowReport> {
    const late: number[] = [];
    latenessMs = window.lateness ? late : undefined;
    return watchWindow(window, () => sentFrames, late);
  },
  /** Sends no more, and forgets the sockets. */
  quiet(): void {
    speaking = false;
    sockets.length = 0;
  },
};

/** What this process can be asked. */
export type BareTasks = typeof tasks;

serve(tasks);
