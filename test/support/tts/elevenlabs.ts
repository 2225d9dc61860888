import { setTimeout as sleep } from 'node:timers/promises';
import { type WebSocket, WebSocketServer } from 'ws';
import { bytesOf } from '../sound.js';
import { elevenLabsRoute, KEY } from './cloud-engines.js';
import { EngineServer, type Manners } from './engine-server.js';
import { speechMs, tone } from './sound.js';

/** What the stand-in is like. */
export interface ElevenLabsManners extends Manners {
  /** Pieces of sound per utterance. */
  pieces?: number;
  /** Before each piece. */
  pieceMs?: number;
  /** What happens in place of the second piece. */
  breaks?: 'error' | 'close' | 'silence';
}

/** The stand-in with what came in over its WebSocket. */
export interface ElevenLabsStandIn {
  readonly http: EngineServer;
  readonly baseUrl: string;
  readonly messages: Record<string, unknown>[];
  readonly addresses: string[];
  /** Connections that were made, and those that are open. */
  readonly connections: { made: number; open: number };
  close(): Promise<void>;
}

interface Spoken {
  text: string;
  started: boolean;
}

/** A stand-in of ElevenLabs, over HTTP and its WebSocket with several contexts. */
export async function startElevenLabs(manners: ElevenLabsManners = {}): Promise<ElevenLabsStandIn> {
  const http = await EngineServer.start(elevenLabsRoute, manners);
  const server = new WebSocketServer({ noServer: true });
  const messages: Record<string, unknown>[] = [];
  const addresses: string[] = [];
  const connections = { made: 0, open: 0 };
  http.server.on('upgrade', (request, socket, head) => {
    if (request.headers['xi-api-key'] !== KEY) {
      socket.end('HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n');
      return;
    }
    addresses.push(request.url ?? '');
    server.handleUpgrade(request, socket, head, (client) => {
      connections.made++;
      connections.open++;
      client.once('close', () => connections.open--);
      serve(client, messages, manners);
    });
  });
  return {
    http,
    baseUrl: http.baseUrl,
    messages,
    addresses,
    connections,
    async close() {
      for (const client of server.clients) client.terminate();
      await http.close();
    },
  };
}

function serve(client: WebSocket, messages: Record<string, unknown>[], manners: ElevenLabsManners): void {
  const contexts = new Map<string, Spoken>();
  client.on('message', (data: Buffer) => {
    const message = JSON.parse(data.toString('utf8')) as Record<string, unknown>;
    messages.push(message);
    const id = String(message['context_id']);
    const context = contexts.get(id) ?? { text: '', started: false };
    contexts.set(id, context);
    if (typeof message['text'] === 'string') context.text += message['text'];
    if ((message['flush'] || message['close_context']) && !context.started && context.text.trim()) {
      context.started = true;
      void speak(client, id, context.text.trim(), manners);
    }
  });
}

async function speak(
  client: WebSocket,
  contextId: string,
  text: string,
  manners: ElevenLabsManners,
): Promise<void> {
  const { pieces = 3, pieceMs = 0, breaks } = manners;
  const samples = tone(speechMs(text), 16_000);
  const characters = Array.from(text);
  for (let i = 0; i < pieces; i++) {
    if (pieceMs) await sleep(pieceMs);
    if (client.readyState !== client.OPEN) return;
    if (i === 1 && breaks === 'error') {
      client.send(
        JSON.stringify({ contextId, error: 'quota_exceeded', message: `Quota of ${KEY} exceeded` }),
      );
      return;
    }
    if (i === 1 && breaks === 'close') return client.close(1011, 'internal');
    if (i === 1 && breaks === 'silence') return;
    const cut = (share: number): number => Math.round(samples.length * share);
    const part = samples.subarray(cut(i / pieces), cut((i + 1) / pieces));
    const chars = characters.slice(
      Math.round((characters.length * i) / pieces),
      Math.round((characters.length * (i + 1)) / pieces),
    );
    const eachMs = part.length / 16 / Math.max(1, chars.length);
    const alignment = {
      chars,
      charStartTimesMs: chars.map((_, at) => Math.round(at * eachMs)),
      charDurationsMs: chars.map(() => Math.round(eachMs)),
    };
    client.send(
      JSON.stringify({ audio: bytesOf(part).toString('base64'), contextId, isFinal: null, alignment }),
    );
  }
  client.send(JSON.stringify({ contextId, isFinal: true, audio: '' }));
}
