/*
 * A dialogue: what the avatar's recogniser understood comes in, an answer goes out, and when the user begins to speak
 * the avatar falls silent (barge-in). The answer here is always the same sound; ask your own language model and your
 * own voice for one.
 *
 *   npx tsx samples/dialogue.ts [--simulated]
 */
import { fileURLToPath } from 'node:url';
import { createBridge } from 'mmdagent-audio-bridge';
import { SimulatedAvatar } from 'mmdagent-audio-bridge/simulator';

const answer = fileURLToPath(new URL('hello.wav', import.meta.url));
const simulated = process.argv.includes('--simulated');
const bridge = await createBridge({ port: simulated ? 0 : 9001 });
const agent = bridge.agent();

agent.on('recognition-start', () => {
  void agent.interrupt({ fadeMs: 15 }).then(({ heardMs }) => {
    if (heardMs > 0) console.log(`  (interrupted after ${Math.round(heardMs)} ms)`);
  });
});
agent.on('recognised', ({ text }) => {
  console.log(`user:   ${text}`);
  const speech = agent.speak(answer, { when: 'interrupt' });
  void speech.finished.then(({ how, heardMs }) =>
    console.log(`avatar: ${how} after ${Math.round(heardMs)} ms`),
  );
});

if (simulated) {
  // A user who asks twice, the second time into the answer. A simulated avatar echoes what it is sent, so the events of
  // a recogniser can be played through it.
  const avatar = new SimulatedAvatar({ url: `ws://127.0.0.1:${bridge.address.port}/chat` });
  await avatar.connect();
  await agent.whenReady();
  const say = async (text: string): Promise<void> => {
    await agent.send('RECOG_EVENT_START');
    await agent.send(`RECOG_EVENT_STOP|${text}`);
  };
  await say('こんにちは');
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await say('ちょっと待って');
  await new Promise((resolve) => setTimeout(resolve, 6000));
  await bridge.close();
} else {
  console.log('Speak to the avatar; Ctrl-C ends it.');
}
