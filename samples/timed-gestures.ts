/*
 * A sound file with gestures at moments of the sound, as it is heard.
 *
 *   npx tsx samples/timed-gestures.ts [FILE] [--simulated]
 */
import { fileURLToPath } from 'node:url';
import { commands, createBridge } from 'mmdagent-audio-bridge';
import { SimulatedAvatar } from 'mmdagent-audio-bridge/simulator';

const simulated = process.argv.includes('--simulated');
const file = process.argv.slice(2).find((argument) => !argument.startsWith('--'));
const bridge = await createBridge({ port: simulated ? 0 : 9001 });
const avatar = new SimulatedAvatar({ url: `ws://127.0.0.1:${bridge.address.port}/chat` });
if (simulated) await avatar.connect();

const agent = bridge.agent();
const speech = agent.speak(file ?? fileURLToPath(new URL('hello.wav', import.meta.url)), {
  cues: [
    { atMs: 0, send: commands.motion.add('0', 'bow', 'motion/bow.vmd') },
    { atMs: 1200, send: commands.motion.add('0', 'point', 'motion/point.vmd') },
    { atMs: -300, send: commands.motion.add('0', 'rest', 'motion/rest.vmd'), always: true },
  ],
});
speech.on('cue', ({ atMs, send }) => console.log(`${String(atMs).padStart(6)} ms  ${send}`));
speech.on('waiting', console.log);
await speech.started;
await agent
  .send(commands.caption.start('hello', 'style', 'Hello!', 2, 'CENTER', 0.5, 30))
  .catch(console.warn);
const end = await speech.finished;
console.log(`${end.how}: heard ${Math.round(end.heardMs)} ms, ${end.cuesSent} cues`);

await bridge.close();
process.exitCode = end.how === 'completed' ? 0 : 1;
