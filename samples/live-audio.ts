/*
 * Live audio: what comes in on standard input is spoken as it comes, with a small lead. What comes too fast is dropped,
 * the oldest first, and counted: live sound must not grow old.
 *
 *   parec --format=s16le --rate=48000 --channels=1 --latency-msec=40 | npx tsx samples/live-audio.ts
 *   npx tsx samples/live-audio.ts --simulated     a hum of two seconds, into an avatar that it brings along
 */
import { setTimeout } from 'node:timers/promises';
import { createBridge } from 'mmdagent-audio-bridge';
import { SimulatedAvatar } from 'mmdagent-audio-bridge/simulator';

async function* hum(): AsyncGenerator<Buffer> {
  const began = performance.now();
  for (let block = 0; block < 50; block += 1) {
    const samples = Int16Array.from({ length: 1920 }, (_, i) => 8000 * Math.sin((block * 1920 + i) / 60));
    yield Buffer.from(samples.buffer);
    await setTimeout(began + (block + 1) * 40 - performance.now());
  }
}

const simulated = process.argv.includes('--simulated');
const bridge = await createBridge({ port: simulated ? 0 : 9001, leadMs: 80 });
const avatar = new SimulatedAvatar({ url: `ws://127.0.0.1:${bridge.address.port}/chat` });
if (simulated) await avatar.connect();
await bridge.agent().whenReady();

const speech = bridge
  .agent()
  .live(simulated ? hum() : process.stdin, { format: 's16le:48000:1', label: 'the microphone' });
speech.on('warning', console.warn);
const end = await speech.finished;
console.log(`${end.how}: heard ${Math.round(end.heardMs)} ms, dropped ${Math.round(end.droppedMs)} ms`);

await bridge.close();
process.exitCode = end.how === 'completed' ? 0 : 1;
