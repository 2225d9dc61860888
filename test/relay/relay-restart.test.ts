import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, it, onTestFinished } from 'vitest';
import { WebSocketServer } from 'ws';
import { SimulatedAvatar } from '../../src/simulator/index.js';
import { command, killCommands } from '../support/command.js';
import { noise } from '../support/signals.js';
import { until } from '../support/until.js';

const FRAME_SAMPLES = 640;

afterEach(killCommands);

const bytesOf = (samples: Int16Array): Buffer =>
  Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);

/** A program in the form of the documentation's samples: plays a sound in real time to each avatar that connects. */
async function program(sound: Int16Array): Promise<{ url: string; sentSamples: number[] }> {
  const sentSamples: number[] = [];
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  onTestFinished(() => server.close());
  server.on('connection', (socket) => {
    const index = sentSamples.push(0) - 1;
    socket.on('error', () => undefined);
    void (async () => {
      socket.send('__AV_SETMODEL,0\n');
      socket.send('SNDFILE\n');
      for (let at = 0; at < sound.length && socket.readyState === socket.OPEN; at += FRAME_SAMPLES) {
        const frame = bytesOf(sound.subarray(at, at + FRAME_SAMPLES));
        socket.send(Buffer.concat([Buffer.from(`SND${String(frame.length).padStart(4, '0')}`), frame]));
        sentSamples[index]! += frame.length / 2;
        await sleep(38);
      }
      if (socket.readyState === socket.OPEN) socket.send('SNDBRKS\n');
    })();
  });
  await new Promise((listening) => server.once('listening', listening));
  return { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/chat`, sentSamples };
}

it.each(['restart', 'crash'] as const)(
  'a %s of the service in mid-speech: the avatar lives, and the program is relayed again',
  { timeout: 120_000 },
  async (what) => {
    const sound = noise(16_000 * 4, 9000, 1);
    const { url, sentSamples } = await program(sound);
    const run = command(['serve', '--port', '0', '--relay', url, '--lead-ms', '1000']);
    await run.says('listening on');
    const port = String(run.json()[0]!['port']);
    const avatar = new SimulatedAvatar({ url: `ws://127.0.0.1:${port}/chat`, audioOpenMs: 0 });
    onTestFinished(() => avatar.leave());
    await avatar.connect();
    const about = async (): Promise<{ pid: number }> => {
      const answer = await fetch(`http://127.0.0.1:${port}/api`, { headers: { connection: 'close' } });
      return (await answer.json()) as { pid: number };
    };
    await until(() => avatar.heard().length > 8000, 'it is heard', 30_000);
    const { pid } = await about();
    if (what === 'restart') {
      const answer = await fetch(`http://127.0.0.1:${port}/api/restart`, { method: 'POST' });
      expect(answer.ok).toBe(true);
    } else process.kill(pid, 'SIGKILL');
    await until(() => sentSamples.length === 2, 'the program is connected to again', 60_000);
    await until(() => sentSamples[1] === sound.length, 'all of it was sent again', 30_000);
    const whole = sound.length;
    await until(() => {
      const heard = avatar.heard();
      return Buffer.compare(bytesOf(heard.slice(heard.length - whole)), bytesOf(sound)) === 0;
    }, 'the second time it is heard whole');
    expect(avatar.report()).toMatchObject({ alive: true, wedged: false, faults: [] });
    if (what === 'crash') return;
    // What the program had sent to the worker before is spoken to its end.
    const first = sentSamples[0]!;
    expect(Buffer.compare(bytesOf(avatar.heard().slice(0, first)), bytesOf(sound.slice(0, first)))).toBe(0);
  },
);
