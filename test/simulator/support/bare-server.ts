import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { type RuleId, SimulatedAvatar, type SimulatorOptions } from '../../../src/simulator/index.js';
import { bytesOf } from '../../support/sound.js';

/** A server without a bridge: what it writes is what the test says. */
export class BareServer {
  readonly requests: IncomingMessage[] = [];
  readonly received: string[] = [];
  readonly pongs: Buffer[] = [];
  /** Statuses for the next upgrade requests; then all are let in. */
  refusals: number[] = [];
  /** Written together with the 101. */
  withUpgrade: string[] = [];
  /** How long the whole process stands still behind it. */
  stallMs = 0;
  socket!: WebSocket;
  tcp!: Socket;

  private constructor(
    readonly http: Server,
    readonly url: string,
  ) {}

  static async open(): Promise<BareServer> {
    const http = createServer();
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    const server = new BareServer(http, `ws://127.0.0.1:${(http.address() as AddressInfo).port}/chat`);
    const wss = new WebSocketServer({ noServer: true, autoPong: false });
    http.on('upgrade', (request: IncomingMessage, tcp: Socket, head: Buffer) => {
      server.requests.push(request);
      const status = server.refusals.shift();
      if (status !== undefined) {
        tcp.end(`HTTP/1.1 ${status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
        return;
      }
      tcp.setNoDelay(true);
      if (server.withUpgrade.length > 0) tcp.cork();
      wss.handleUpgrade(request, tcp, head, (socket) => {
        server.socket = socket;
        server.tcp = tcp;
        socket.on('message', (data: Buffer) => server.received.push(data.toString()));
        socket.on('pong', (data: Buffer) => server.pongs.push(Buffer.from(data)));
        socket.on('error', () => undefined);
        for (const text of server.withUpgrade) socket.send(text);
        process.nextTick(() => {
          tcp.uncork();
          const untilMs = performance.now() + server.stallMs;
          while (performance.now() < untilMs);
        });
      });
    });
    onTestFinished(() => {
      for (const client of wss.clients) client.terminate();
      http.closeAllConnections();
      http.close();
    });
    return server;
  }

  sendAudio(samples: Int16Array): void {
    const payload = bytesOf(samples);
    const head = Buffer.from(`SND${String(payload.length).padStart(4, '0')}`);
    this.socket.send(Buffer.concat([head, payload]));
  }

  /** Sets a model and sends the samples in frames of 40 ms at once. */
  speak(samples: Int16Array): void {
    this.socket.send('__AV_SETMODEL,0\n');
    this.socket.send('SNDFILE\n');
    for (let at = 0; at < samples.length; at += 640) this.sendAudio(samples.slice(at, at + 640));
    this.socket.send('SNDBRKS\n');
  }
}

/** A simulator of the options whose sound device is open at once, gone when the test ends. */
export function avatar(options: SimulatorOptions): SimulatedAvatar {
  const simulator = new SimulatedAvatar({ readyAfterMs: 60, audioOpenMs: 0, ...options });
  onTestFinished(() => simulator.leave());
  return simulator;
}

/** A simulator that is let in. */
export async function connected(
  server: BareServer,
  options: Partial<SimulatorOptions> = {},
): Promise<SimulatedAvatar> {
  const simulator = avatar({ url: server.url, ...options });
  await simulator.connect();
  return simulator;
}

/** A simulator that has said that it is ready. */
export async function ready(
  server: BareServer,
  options: Partial<SimulatorOptions> = {},
): Promise<SimulatedAvatar> {
  const simulator = await connected(server, options);
  await simulator.whenReady();
  return simulator;
}

/** The rules that were broken, in their order. */
export const rules = (simulator: SimulatedAvatar): RuleId[] =>
  simulator.report().faults.map(({ rule }) => rule);
/** Samples of which each differs from its neighbours. */
export const voice = (samples: number): Int16Array =>
  Int16Array.from({ length: samples }, (_, i) => (i * 37) % 9_001);
