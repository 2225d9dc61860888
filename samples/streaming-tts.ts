/*
 * Speech that is still being synthesised, with lip-sync: the engine's bytes go into a speech stream as they come, and
 * the avatar begins with the first of them. The engine here is a stand-in that gives a sound file in bursts, as real
 * engines do; put your own in its place.
 *
 *   npx tsx samples/streaming-tts.ts              waits for an avatar on ws://localhost:9001/chat
 *   npx tsx samples/streaming-tts.ts --simulated  brings one along
 */
import { readFile } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { setTimeout } from 'node:timers/promises';
import { createBridge } from 'mmdagent-audio-bridge';
import { SimulatedAvatar } from 'mmdagent-audio-bridge/simulator';

async function* engine(): AsyncGenerator<Buffer> {
  const wav = await readFile(new URL('hello.wav', import.meta.url));
  for (let at = 0; at < wav.length; at += 30_000) {
    await setTimeout(250); // it thinks, then gives 0.7 s of sound at once
    yield wav.subarray(at, at + 30_000);
  }
}

const simulated = process.argv.includes('--simulated');
const bridge = await createBridge({ port: simulated ? 0 : 9001 });
const avatar = new SimulatedAvatar({ url: `ws://127.0.0.1:${bridge.address.port}/chat` });
if (simulated) await avatar.connect();

const began = performance.now();
const stream = bridge.agent().createSpeechStream({ label: 'the engine' });
void stream.speech.started.then(() =>
  console.log(`first sound after ${Math.round(performance.now() - began)} ms`),
);
await pipeline(engine, stream);
const end = await stream.speech.finished;
console.log(`${end.how}: heard ${Math.round(end.heardMs)} ms, ${end.gaps.count} gaps`);

await bridge.close();
process.exitCode = end.how === 'completed' ? 0 : 1;
