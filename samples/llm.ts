/*
 * Speaks what a language model writes, while it writes: each piece goes over the bridge's stream as it comes, and the
 * first sentence sounds while the next ones are still to come.
 *
 *   npx tsx samples/llm.ts                                    a stand-in writes, 20 words a second
 *   LLM_URL=http://localhost:11434/v1 LLM_MODEL=llama3.2 npx tsx samples/llm.ts 'Why is the sky blue?'
 *
 * LLM_URL is any server that speaks OpenAI's chat completions (Ollama, llama.cpp, vLLM, OpenAI); LLM_KEY its key.
 * MMDAGENT_BRIDGE_URL names another bridge (http://192.168.1.5:9001), MMDAGENT_BRIDGE_TOKEN its token. Ctrl-C interrupts
 * the avatar.
 */
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';

const { LLM_URL, LLM_KEY = 'none', LLM_MODEL = 'gpt-4o-mini' } = process.env;
const url = (process.env['MMDAGENT_BRIDGE_URL'] ?? 'http://127.0.0.1:9001').replace(/^http/, 'ws');
const token = process.env['MMDAGENT_BRIDGE_TOKEN'];
const [prompt = 'Why is the sky blue?'] = process.argv.slice(2);

/** Between a sentence and what follows it, wherever the model cuts its pieces; not within 3.14. */
const SENTENCE_END = /(?<=[。！？])(?=.)|(?<=[.!?])(?=\s)/s;

interface Told {
  readonly type: string;
  readonly state?: string;
  readonly name?: string;
  readonly heard?: boolean;
  readonly how?: string;
  readonly message?: string;
  readonly error?: { readonly detail: string; readonly advice: string } | null;
}

const began = performance.now();
const since = (): string => `${((performance.now() - began) / 1000).toFixed(1)} s`;
const socket = new WebSocket(`${url}/api/agents/default/stream`, {
  headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
});
const say = (message: object): void => socket.send(JSON.stringify(message));
let paused = false;
let over = false;

socket.on('message', (data) => {
  const told = JSON.parse((data as Buffer).toString()) as Told;
  if (told.type === 'pause' || told.type === 'resume') paused = told.type === 'pause';
  else if (told.type === 'state' && told.state === 'speaking') console.log(`speaks after ${since()}`);
  else if (told.type === 'mark') console.log(told.heard ? 'heard:    ' : 'not heard:', told.name);
  else if (told.type === 'warning') console.log(told.message);
  else if (told.type === 'ended' || told.type === 'error') {
    over = true;
    socket.close(1000);
    if (told.how !== 'stopped' && told.error) fail(`${told.error.detail} ${told.error.advice}`);
  }
});
socket.on('error', (error) => fail(`The bridge cannot be reached at ${url}: ${error.message}`));
socket.on('open', () => void speak().catch((error: unknown) => fail(String(error))));
process.on('SIGINT', () => say({ type: 'interrupt' }));

async function speak(): Promise<void> {
  let sentence = '';
  const write = (part: string): void => {
    say({ type: 'text', text: part });
    sentence += part;
  };
  const mark = (): void => {
    // Comes back when the sentence has been heard, or was not: what a dialogue should remember as said.
    if (sentence.trim() !== '') say({ type: 'mark', name: sentence.trim().slice(0, 200) });
    sentence = '';
  };
  // A tag does what its table says where it stands, as it is heard: here, or in the service's bridge.yaml.
  say({ type: 'say', label: 'the answer', tags: { nod: 'MOTION_ADD|0|nod|nod.vmd' } });
  for await (const piece of LLM_URL === undefined ? standIn() : model(LLM_URL)) {
    while (paused && !over) await sleep(20);
    // Interrupted: what the model goes on to write is not wanted.
    if (over) return;
    const before = sentence.slice(-1);
    const [rest = '', ...next] = (before + piece).split(SENTENCE_END);
    write(rest.slice(before.length));
    for (const part of next) {
      mark();
      write(part);
    }
  }
  mark();
  console.log(`written after ${since()}`);
  say({ type: 'end' });
}

/** The pieces of an answer, as the server sends them (server-sent events). */
async function* model(base: string): AsyncGenerator<string> {
  const answer = await fetch(`${base.replace(/\/$/, '')}/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${LLM_KEY}` },
    body: JSON.stringify({
      model: LLM_MODEL,
      stream: true,
      messages: [
        { role: 'system', content: 'Answer in two or three short spoken sentences.' },
        { role: 'user', content: prompt },
      ],
    }),
  });
  if (!answer.ok || !answer.body)
    throw new Error(`The model answered ${answer.status}: ${await answer.text()}`);
  for await (const line of createInterface({ input: Readable.fromWeb(answer.body) })) {
    if (!line.startsWith('data: ') || line === 'data: [DONE]') continue;
    const { choices } = JSON.parse(line.slice(6)) as { choices: { delta: { content?: string } }[] };
    for (const { delta } of choices) yield delta.content ?? '';
  }
}

async function* standIn(): AsyncGenerator<string> {
  const text =
    'Light from the sun is white. [nod] In the air, blue is scattered most of all. That is why the sky is blue.';
  for (const word of text.match(/\S+\s*/g)!) {
    await sleep(50);
    yield word;
  }
}

function fail(reason: string): void {
  console.error(reason);
  process.exitCode = 1;
  socket.close();
}
