import { fileURLToPath } from 'node:url';
import { BridgeError } from '../base/errors.js';
import { createConverter } from '../audio/convert.js';
import { createBridge } from '../bridge.js';
import { attachService } from '../service/service.js';
import { compareHeard, SimulatedAvatar } from '../simulator/index.js';
import { fileSound, readFile } from '../source/file.js';
import { problemOf, ServiceClient } from './client.js';
import { deadline, type CliContext } from './command.js';
import { EXIT, Interrupted } from './exit-codes.js';
import { progressLine, speechLine } from './speech-lines.js';
import { SpeechRequest } from './speech-request.js';

const SAMPLE = fileURLToPath(new URL('../../samples/hello.wav', import.meta.url));

/** Timed commands: a greeting at the start, a bow before the end. */
const CUES = [
  { atMs: 300, send: 'MOTION_ADD|0|greeting|greeting.vmd' },
  { atMs: -1000, send: 'MOTION_ADD|0|bow|bow.vmd' },
];

/** Maximum duration of the demo, in ms; it usually takes seconds. */
const TIMEOUT_MS = 60_000;

/** Runs the demo once. @returns the exit status: 0 only when every sample was heard */
export async function demo({ terminal, onInterrupt }: CliContext): Promise<number> {
  const { signal: timeout, clear } = deadline(TIMEOUT_MS, 'demo');
  const interrupted = new AbortController();
  const signal = AbortSignal.any([timeout, interrupted.signal]);
  const off = onInterrupt(() => interrupted.abort(new Interrupted()));
  const bridge = await createBridge({ port: 0, firstSoundMs: 0 });
  const avatar = new SimulatedAvatar({
    url: `ws://127.0.0.1:${bridge.address.port}${bridge.options.path}`,
    audioOpenMs: 0,
  });
  try {
    const service = await attachService(bridge);
    terminal.say(`service: ${service.url}`);
    bridge.agent().on('ready', ({ afterMs }) => {
      terminal.say(`avatar: simulated, ready ${Math.round(afterMs)} ms after it connected`);
    });
    avatar.on('command', ({ line }) => {
      if (line.startsWith('MOTION_ADD')) terminal.say(`avatar: runs ${line}`);
    });
    await avatar.connect();

    const client = new ServiceClient({ host: '127.0.0.1', port: bridge.address.port, signal });
    const { leadMs } = bridge.agent().snapshot();
    const speech = new SpeechRequest(client, {
      agent: 'default',
      label: 'hello.wav',
      bytes: readFile(SAMPLE, signal),
      cues: CUES,
      onEvent: (event) => {
        if (event.type === 'position') terminal.live(progressLine('hello.wav', event, leadMs));
        else if (event.type !== 'cue') {
          const line = speechLine('hello.wav', event);
          if (line !== undefined) terminal.say(line);
        }
      },
    });
    const ended = await speech.ended;
    terminal.live('');
    if (ended.how !== 'completed')
      throw problemOf(ended.error) ?? new BridgeError('INTERNAL', 'It broke off.');
    return await compare({ terminal, avatar });
  } finally {
    off();
    clear();
    terminal.live('');
    await bridge.close();
    avatar.leave();
  }
}

/** Prints what the avatar heard of the file. */
async function compare({
  terminal,
  avatar,
}: {
  terminal: CliContext['terminal'];
  avatar: SimulatedAvatar;
}): Promise<number> {
  const expected = await convertFile(SAMPLE);
  const { exact, samplesExpected, firstMismatchAt } = compareHeard(expected, avatar.heard());
  const { gapCount, firstSoundAfterMs, faults, samplesHeard } = avatar.report();
  // The last block of a segment is filled with silence (protocol.md §4).
  const same = firstMismatchAt ?? samplesExpected;
  terminal.say('');
  terminal.say(`samples expected  ${samplesExpected}`);
  terminal.say(`samples heard     ${same} (and ${samplesHeard - same} of silence to fill the last block)`);
  terminal.say(`gaps              ${gapCount}`);
  terminal.say(`first sound       ${Math.round(firstSoundAfterMs ?? 0)} ms after the first frame`);
  terminal.say(`rules broken      ${faults.length}`);
  const good = exact && faults.length === 0;
  terminal.say(
    good ? 'The avatar heard every sample.' : 'The avatar did NOT hear every sample as it should.',
  );
  return good ? EXIT.ok : EXIT.failed;
}

/** Converts the file independently, as a reference for the avatar's sound. */
async function convertFile(path: string): Promise<Int16Array> {
  const converter = await createConverter();
  const pieces: Int16Array[] = [];
  const context = { signal: new AbortController().signal, info: () => undefined, warn: () => undefined };
  for await (const block of fileSound(path).open(context)) pieces.push(converter.push(block));
  pieces.push(converter.flush());
  converter.close();
  const whole = new Int16Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
