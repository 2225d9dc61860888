import { once } from 'node:events';
import { WebSocket, type ClientOptions } from 'ws';
import type { StreamClientMessage, StreamServerMessage } from '../../src/service/stream/protocol.js';
import { until } from './service-rig.js';

type Of<Type extends StreamServerMessage['type']> = Extract<StreamServerMessage, { type: Type }>;

/** A client of `/api/agents/NAME/stream` that keeps everything it is told. */
export class StreamClient {
  readonly socket: WebSocket;
  readonly told: StreamServerMessage[] = [];
  /** Between `pause` and `resume`. */
  paused = false;

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('error', () => undefined);
    socket.on('message', (data) => {
      const message = JSON.parse((data as Buffer).toString()) as StreamServerMessage;
      if (message.type === 'pause' || message.type === 'resume') this.paused = message.type === 'pause';
      this.told.push(message);
    });
  }

  /** Opens one and waits for its `hello`. */
  static async open(port: number, agent = 'default', options: ClientOptions = {}): Promise<StreamClient> {
    const client = new StreamClient(
      new WebSocket(`ws://127.0.0.1:${port}/api/agents/${agent}/stream`, options),
    );
    await client.next('hello');
    return client;
  }

  say(message: StreamClientMessage): void {
    this.socket.send(JSON.stringify(message));
  }

  /** Sends sound, as s16le. @param cutBytes how much goes into a message */
  sound(samples: Int16Array, cutBytes = 8192): void {
    const bytes = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
    for (let at = 0; at < bytes.length; at += cutBytes) this.socket.send(bytes.subarray(at, at + cutBytes));
  }

  all<Type extends StreamServerMessage['type']>(type: Type): Of<Type>[] {
    return this.told.filter((message): message is Of<Type> => message.type === type);
  }

  /** The message of that type with that number, from 1, once it has come. */
  async next<Type extends StreamServerMessage['type']>(type: Type, number = 1): Promise<Of<Type>> {
    await until(() => this.all(type).length >= number || this.socket.readyState === WebSocket.CLOSED);
    const message = this.all(type)[number - 1];
    if (!message) throw new Error(`The socket closed before ${type}: ${JSON.stringify(this.told)}`);
    return message;
  }

  /** Waits until it is closed. @returns the code */
  async closed(): Promise<number> {
    if (this.socket.readyState === WebSocket.CLOSED) return 0;
    const [code] = (await once(this.socket, 'close')) as [number];
    return code;
  }
}
