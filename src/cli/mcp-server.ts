import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { z } from 'zod';
import { toBridgeError } from '../base/errors.js';
import { PACKAGE_NAME, VERSION } from '../base/version.js';
import { readFile } from '../source/file.js';
import type { AgentJson, SpeechResultJson } from '../service/schemas.js';
import type { ServiceClient } from './client.js';
import { SpeechRequest } from './speech-request.js';

/** Polling interval of a speech's state, in ms. */
const ASK_EVERY_MS = 100;
/** Default maximum wait of a tool for the end of a speech, in ms. */
const WAIT_MS = 120_000;

/** Options of the server. */
export interface McpOptions {
  readonly client: ServiceClient;
  /** Default agent of calls. */
  readonly agent: string;
  /** Ends the server. */
  readonly signal: AbortSignal;
}

interface Answer {
  [key: string]: unknown;
  content: { type: 'text'; text: string }[];
  isError?: boolean;
}

/** Serves the tools on standard input and output until the client closes them. */
export async function serveMcp(options: McpOptions): Promise<void> {
  const server = toolsOf(options);
  const transport = new StdioServerTransport();
  const closed = new Promise<void>((resolve) => {
    server.server.onclose = resolve;
    process.stdin.once('end', resolve);
    options.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await server.connect(transport);
  await closed;
  await server.close();
}

function toolsOf({ client, agent: usual, signal }: McpOptions): McpServer {
  const server = new McpServer({ name: PACKAGE_NAME, version: VERSION });
  const agent = z
    .string()
    .default(usual)
    .describe('Name of the avatar; several with commas between them, or all.');
  const wait = z.boolean().default(false).describe('Answer when it has been heard to its end.');
  const when = z
    .enum(['queue', 'interrupt', 'if-idle'])
    .default('queue')
    .describe('After those that wait, now in their place, or only when the avatar is silent.');

  server.registerTool(
    'say',
    {
      description: 'Speaks a text through the avatar. Answers with the id of the speech.',
      inputSchema: {
        text: z.string().min(1).describe('Text to speak. [tag] in it does what the table of tags says.'),
        agent,
        voice: z.string().optional().describe('As the tool voices lists it.'),
        when,
        wait,
      },
    },
    ({ agent: name, wait: toEnd, ...body }) =>
      answered(() =>
        client.post(`${pathOf(name)}/say`, {
          ...body,
          label: 'the text',
          wait: toEnd ? 'finished' : 'accepted',
        }),
      ),
  );

  server.registerTool(
    'speak_file',
    {
      description:
        'Speaks a sound file of this machine through the avatar and answers when it has been heard.',
      inputSchema: { path: z.string().min(1).describe('Path of a sound file.'), agent, when },
    },
    ({ path, agent: name, when: asked }) =>
      answered(async () => {
        const speech = new SpeechRequest(client, {
          agent: name,
          label: path.split(/[\\/]/).at(-1)!,
          bytes: readFile(path, signal),
          query: { when: asked },
          onEvent: () => undefined,
        });
        const { how, heardMs, durationMs, error } = await speech.ended;
        return { how, heardMs, durationMs, error };
      }),
  );

  server.registerTool(
    'send',
    {
      description: 'Sends text commands to the avatar, in order, such as MOTION_ADD|0|bye|bye.vmd.',
      inputSchema: { commands: z.array(z.string()).min(1).max(100).describe('TYPE|arg|… each.'), agent },
    },
    ({ commands, agent: name }) => answered(() => client.post(`${pathOf(name)}/commands`, { commands })),
  );

  server.registerTool(
    'interrupt',
    { description: 'Ends what is spoken and drops what waits.', inputSchema: { agent } },
    ({ agent: name }) => answered(() => client.post(`${pathOf(name)}/interrupt`)),
  );

  server.registerTool(
    'agents',
    { description: 'Lists the avatars: state, model, and what they speak.', inputSchema: {} },
    () => answered(async () => (await client.get<{ agents: AgentJson[] }>('/api/agents')).agents),
  );

  server.registerTool(
    'voices',
    {
      description: 'Lists the voices of an engine; of the usual one by default.',
      inputSchema: { engine: z.string().optional().describe('Name of an engine.') },
    },
    ({ engine }) =>
      answered(() =>
        client.get(`/api/voices${engine === undefined ? '' : `?engine=${encodeURIComponent(engine)}`}`),
      ),
  );

  server.registerTool(
    'wait_until_heard',
    {
      description: 'Waits until a speech has ended and answers how it ended.',
      inputSchema: {
        speech: z.string().describe('Id of a speech, as say answers it.'),
        agent,
        timeoutMs: z.number().int().min(100).max(3_600_000).default(WAIT_MS),
      },
    },
    ({ speech, agent: name, timeoutMs }, { signal: asked }) =>
      answered(async () => {
        const untilMs = performance.now() + timeoutMs;
        for (;;) {
          const path = `${pathOf(name)}/speeches/${encodeURIComponent(speech)}`;
          const told = await client.get<SpeechResultJson>(path);
          if (told.end || asked.aborted || performance.now() > untilMs) return told;
          await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS));
        }
      }),
  );
  return server;
}

function pathOf(agent: string): string {
  return `/api/agents/${encodeURIComponent(agent)}`;
}

/** Returns an answer as JSON; a failure as message and advice, so that the model can act on it. */
async function answered(ask: () => Promise<unknown>): Promise<Answer> {
  try {
    return { content: [{ type: 'text', text: JSON.stringify(await ask()) }] };
  } catch (error) {
    const { code, message, advice } = toBridgeError(error, 'INTERNAL', 'The call failed');
    return { content: [{ type: 'text', text: `${message} ${advice} [${code}]` }], isError: true };
  }
}
