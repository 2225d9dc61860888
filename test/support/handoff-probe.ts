/*
 * Whether a socket that a killed process used can be read by the next one, without any code of the project: a parent holds
 * a copy of a connection, gives it to a child, kills the child (every second time while it writes heavily), gives it to
 * another one, and looks whether that one answers. Run it by itself:
 *   npx esbuild test/support/handoff-probe.ts --bundle --platform=node --format=esm --outfile=probe.mjs && node probe.mjs [ROUNDS]
 * By default 20 rounds. It prints each round that failed, and ends with status 1 when one did.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** The next child has so long to answer, in ms. */
const ANSWER_MS = 4000;
/** The client says so much every few ms, as an avatar answers pings. */
const CHATTER = 'p'.repeat(60);

const asChild = process.send !== undefined && process.argv[2] === 'child';
if (asChild) child(process.argv[3] ?? '');
else process.exitCode = await parent(Number(process.argv[2] ?? 20));

/** Answers a word of its name with an answer of its name; floods the socket when it is told to. */
function child(name: string): void {
  process.on('message', (task: string, socket: Socket | undefined) => {
    if (!socket) return void process.send?.('no socket');
    socket.on('error', () => undefined);
    let heard = '';
    socket.on('data', (data) => {
      heard = (heard + data.toString('latin1')).slice(-500);
      if (!heard.includes(`hello ${name}`)) return;
      heard = '';
      socket.write(`\nanswer ${name}\n`);
    });
    const flood = (): void => {
      // A few at a time: what the system takes at once never fills the stream.
      for (let i = 0; i < 20 && socket.writableLength < 100_000; i += 1) socket.write(`${'x'.repeat(220)}\n`);
      setImmediate(flood);
    };
    if (task === 'flood') flood();
    process.send?.('has it');
  });
  process.send?.('ready');
}

/** @returns 1 when the second child did not answer in some round */
async function parent(rounds: number): Promise<number> {
  let hold!: (socket: Socket) => void;
  const server = createServer({ pauseOnConnect: true }, (socket) => hold(socket)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  let failed = 0;
  for (let round = 1; round <= rounds; round += 1) {
    const task = round % 2 === 0 ? 'flood' : 'calm';
    const held = new Promise<Socket>((resolve) => (hold = resolve));
    const trouble = await oneRound(port, held, task);
    if (trouble !== undefined) {
      failed += 1;
      console.log(`round ${round} (${task}): ${trouble}`);
    }
  }
  server.close();
  console.log(`${process.platform}, Node ${process.version}: ${rounds} rounds, ${failed} failed`);
  return failed > 0 ? 1 : 0;
}

/** @returns what went wrong */
async function oneRound(port: number, holding: Promise<Socket>, task: string): Promise<string | undefined> {
  const client = connect(port, '127.0.0.1');
  let text = '';
  client.on('error', () => undefined);
  client.on('data', (data) => (text = (text + data.toString('latin1')).slice(-2000)));
  const held = await holding;
  held.on('error', () => undefined);
  const chatter = setInterval(() => client.write(CHATTER), 5);
  const children = ['first', 'second'].map((name) => fork(process.argv[1]!, ['child', name]));
  const [first, second] = children as [ChildProcess, ChildProcess];
  try {
    await Promise.all(children.map((process) => once(process, 'message')));
    const answer = await give(first, task, held);
    if (answer !== 'has it') return `the first child has ${answer}`;
    await sleep(60 + Math.random() * 80);
    const gone = once(first, 'exit');
    first.kill('SIGKILL');
    await gone;
    const next = await give(second, 'calm', held);
    if (next !== 'has it') return `the second child has ${next}`;
    const endMs = performance.now() + ANSWER_MS;
    while (performance.now() < endMs) {
      client.write('hello second');
      await sleep(50);
      if (text.includes('answer second')) return undefined;
    }
    return 'the second child has the socket and reads nothing from it';
  } finally {
    clearInterval(chatter);
    client.destroy();
    held.destroy();
    for (const process of children) process.kill('SIGKILL');
  }
}

async function give(child: ChildProcess, task: string, socket: Socket): Promise<string> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), ANSWER_MS);
  try {
    const answer = once(child, 'message', { signal: late.signal });
    child.send(task, socket, { keepOpen: true });
    return String((await answer)[0]);
  } catch {
    return 'not answered';
  } finally {
    clearTimeout(timer);
  }
}
