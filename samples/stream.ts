/*
 * Speaks sound while it is made, over the bridge's stream, and cuts it short on Ctrl-C.
 *
 *   npx tsx samples/stream.ts                  a tone, made here
 *   npx tsx samples/stream.ts voice.mp3        a file, of any format
 *
 * MMDAGENT_BRIDGE_URL names another bridge (http://192.168.1.5:9001), MMDAGENT_BRIDGE_TOKEN its token.
 */
import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';

const url = (process.env['MMDAGENT_BRIDGE_URL'] ?? 'http://127.0.0.1:9001').replace(/^http/, 'ws');
const token = process.env['MMDAGENT_BRIDGE_TOKEN'];
const [path] = process.argv.slice(2);

const socket = new WebSocket(`${url}/api/agents/default/stream`, {
  headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
});
const say = (message: object): void => socket.send(JSON.stringify(message));
let paused = false;

socket.on('message', (data) => {
  const message = JSON.parse((data as Buffer).toString()) as Record<string, unknown>;
  if (message['type'] === 'pause' || message['type'] === 'resume') paused = message['type'] === 'pause';
  else console.log(JSON.stringify(message));
  if (message['type'] === 'ended') socket.close(1000);
});
socket.on('error', (error) => {
  console.error(`The bridge cannot be reached at ${url}: ${error.message}`);
  process.exitCode = 1;
});
socket.on('open', () => void speak());
process.once('SIGINT', () => say({ type: 'interrupt' }));

async function speak(): Promise<void> {
  say({
    type: 'start',
    ...(path === undefined ? { label: 'a tone', format: 's16le:24000:1' } : { label: basename(path) }),
  });
  const pieces = path === undefined ? tone(3, 24_000) : createReadStream(path, { highWaterMark: 16_384 });
  for await (const piece of pieces) {
    while (paused) await sleep(20);
    socket.send(piece as Buffer);
  }
  say({ type: 'end' });
}

/** What a speech engine would do: some samples at a time, as they are made. */
function* tone(seconds: number, rateHz: number): Generator<Int16Array> {
  for (let start = 0; start < seconds * rateHz; start += 2400) {
    yield Int16Array.from(
      { length: 2400 },
      (_, i) => 9000 * Math.sin((2 * Math.PI * 440 * (start + i)) / rateHz),
    );
  }
}
