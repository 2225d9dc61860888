/**
 * Counts connections that cannot be read after they passed to another process. No code of the project takes part.
 *
 * A parent holds each connection and gives a copy to a first child, as a keeper does with its worker. The first child is
 * killed, in every other round while it writes heavily; the second child gets the connection and must answer.
 * On Linux every round passes. Under Wine 3 of 20 failed: the second child could write but not read.
 *
 * Usage: node accept-probe.js [--rounds N]   exit status 0 when every connection was answered, 1 otherwise
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer, connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const ANSWER_MS = 4000;
const MAX_WAITING_BYTES = 100_000;

if (process.argv[2] === 'child') child(process.argv[3]);
else await parent(Number(process.argv[process.argv.indexOf('--rounds') + 1]) || 40);

/** Answers each `ask:NAME` with `answer:NAME`; told to flood, it also writes without end. */
function child(name) {
  process.on('message', (task, socket) => {
    if (!socket) return;
    socket.on('error', () => undefined);
    let heard = '';
    socket.on('data', (bytes) => {
      heard = (heard + bytes).slice(-200);
      if (!heard.includes(`ask:${name}`)) return;
      heard = '';
      socket.write(`answer:${name}\n`);
    });
    if (task === 'flood') flood(socket);
    process.send('ready');
  });
}

function flood(socket) {
  // A reader that keeps up would hold an unbounded loop for ever.
  for (let i = 0; i < 20 && !socket.destroyed && socket.writableLength < MAX_WAITING_BYTES; i += 1)
    socket.write(`${'x'.repeat(220)}\n`);
  setImmediate(flood, socket);
}

async function parent(rounds) {
  const server = createServer({ pauseOnConnect: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  let unread = 0;
  for (let number = 0; number < rounds; number += 1) {
    const task = number % 2 === 0 ? 'calm' : 'flood';
    if (await round(server, task)) continue;
    unread += 1;
    console.log(`round ${number + 1}, ${task}: the second process does not read`);
  }
  console.log(`${rounds} rounds, ${unread} connections that the second process could not read`);
  process.exit(unread === 0 ? 0 : 1);
}

/** @returns whether the second child answered */
async function round(server, task) {
  const client = connect(server.address().port, '127.0.0.1');
  client.on('error', () => undefined);
  let answers = '';
  client.on('data', (bytes) => (answers = (answers + bytes).slice(-1000)));
  const [held] = await once(server, 'connection');
  held.on('error', () => undefined);
  const traffic = setInterval(() => client.write('.'.repeat(60)), 5);
  const [first, second] = ['first', 'second'].map((name) =>
    fork(fileURLToPath(import.meta.url), ['child', name], { windowsHide: true }),
  );
  try {
    await Promise.all([once(first, 'spawn'), once(second, 'spawn')]);
    await give(first, task, held);
    await sleep(60 + Math.random() * 80);
    first.kill('SIGKILL');
    await once(first, 'exit');
    await give(second, 'calm', held);
    for (const began = performance.now(); performance.now() - began < ANSWER_MS; await sleep(50)) {
      if (answers.includes('answer:second')) return true;
      client.write('ask:second');
    }
    return answers.includes('answer:second');
  } finally {
    clearInterval(traffic);
    client.destroy();
    held.destroy();
    second.kill('SIGKILL');
  }
}

async function give(process, task, socket) {
  process.send(task, socket, { keepOpen: true });
  await once(process, 'message');
}
