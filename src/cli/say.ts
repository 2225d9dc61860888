import { toBridgeError } from '../base/errors.js';
import { decodeText } from '../base/text-encoding.js';
import { OPTIONS } from '../config.js';
import type { AgentJson } from '../service/schemas.js';
import { firstWords } from '../narration/label.js';
import type { Cue } from '../speech/cues.js';
import { problemOf, type ServiceClient } from './client.js';
import { openClient, type AddCommand, type CliContext } from './command.js';
import { EXIT, Interrupted } from './exit-codes.js';
import { addClientOptions, readOptions } from './flags.js';
import { LocalSynthesis } from './local-synthesis.js';
import { addSpeechOptions, readCues, speechQuery, whenOf, type SpeechFlags } from './speech-options.js';
import { endLine, infoLine, isSeveral, progressLine, speechLine, speechName } from './speech-lines.js';
import { SpeechRequest } from './speech-request.js';
import { printable } from './terminal.js';
import { Transcript } from './transcript.js';
import { addTextOptions, readTextWish, textQuery } from './text-query.js';

interface SayFlags extends SpeechFlags {
  program?: string;
  encoding?: string;
  format?: string;
  transcript?: string;
  json?: boolean;
}

/** Upload format of sound made here. */
const OWN_FORMAT = 's16le:16000:1';

/** `say TEXT`: speaks text through the running service. */
export const addSay: AddCommand = (program, run) => {
  const command = program
    .command('say')
    .summary('speak a text, also while it is being written')
    .description(
      'Speaks a text through the running service. With - the text is read from standard input and spoken while it is ' +
        'still being written: the first sentence sounds while the next ones are to come.',
    )
    .argument('<text...>', 'what to say; - is standard input')
    .option(
      '--program <line>',
      'a program of this machine that writes a sound: run by this command, as you, without a shell; it reads the text, or has it for {text}',
    )
    .option('--format <format>', 'what --program writes, when it has no head, such as s16le:22050:1')
    .option(
      '--encoding <name>',
      'encoding of the text on standard input, such as shift_jis; UTF-8 by default',
    )
    .option('--transcript <file>', 'write what is heard of the text to a .vtt, .srt or .jsonl file')
    .option('--json', 'what happens as JSON, an object a line');
  addTextOptions(command);
  addSpeechOptions(command);
  addClientOptions(command, { agent: true });
  command.action((words: string[], flags: SayFlags) =>
    run(
      command,
      async ({ terminal, env, stdin, onInterrupt }) => {
        const { agent } = readOptions(command, ['agent'], env);
        const asked = speechQuery(command, flags);
        const cues = await readCues(flags);
        const { program, format, encoding } = flags;
        const wish = await readTextWish(command, env, { program, format });
        const transcript = flags.transcript === undefined ? undefined : new Transcript(flags.transcript);
        const session = openClient(command, env);
        const fromStdin = words.length === 1 && words[0] === '-';
        const text = fromStdin
          ? decodeText(stdin, { encoding, what: 'The text on standard input' })
          : one(words.join(' '));
        // The service knows the first words of a text from standard input before this process does.
        const label = fromStdin ? undefined : firstWords(words.join(' '));
        const named = label ?? 'the text';
        let own: LocalSynthesis | undefined;
        try {
          await session.client.check();
          if (wish.runsHere)
            own = new LocalSynthesis(text, wish, {
              ...{ label: named, env },
              model: (asked['model'] as string | undefined) ?? (await modelOf(session.client, agent)),
              info: (info) => {
                if (!flags.json) terminal.say(infoLine(named, info));
              },
              warn: (message) => {
                if (flags.json) terminal.warn(`warning: ${printable(message)}`);
                else terminal.say(`${printable(named)}: warning: ${printable(message)}`);
              },
              cue: (cue) => request.cue(cue).catch((error: unknown) => warnOfCue(terminal, cue, error)),
            });
          const request: SpeechRequest = new SpeechRequest(session.client, {
            agent,
            label: named,
            ...(own ? { bytes: own.bytes() } : { route: 'say', bytes: encoded(text) }),
            query: {
              ...(own ? { format: OWN_FORMAT } : textQuery(wish)),
              ...asked,
              label,
              when: whenOf(flags),
            },
            cues,
            onEvent: (event) => {
              transcript?.add(event);
              if (flags.json) return terminal.json(event);
              // This process reports its own synthesis itself.
              if (own && event.type === 'info') return;
              const name = speechName(agent, named, event);
              if (event.type === 'position') return terminal.live(progressLine(name, event, undefined));
              const later = event.type === 'ended' && !isSeveral(agent);
              const line = later ? undefined : speechLine(name, event);
              if (line !== undefined) terminal.say(line);
            },
          });
          let interruptions = 0;
          const off = onInterrupt(() => {
            if (interruptions > 0 || !request.accepted) return session.abort(new Interrupted());
            interruptions += 1;
            void request.stop().catch(() => undefined);
          });
          try {
            const ended = await request.ended;
            terminal.live('');
            for (const sentence of own?.heard(ended.heardMs) ?? [])
              transcript?.add({ ...ended, ...sentence, type: 'sentence' });
            if (!flags.json && !isSeveral(agent) && (ended.how !== 'failed' || ended.heardMs > 0))
              terminal.say(`${printable(named)}: ${endLine(ended)}`);
            if (ended.how === 'completed') return EXIT.ok;
            if (interruptions > 0) return EXIT.interrupted;
            throw problemOf(ended.error) ?? new Interrupted();
          } finally {
            off();
          }
        } finally {
          await own?.stop();
          transcript?.close();
          session.close();
        }
      },
      flags,
    ),
  );
};

/** Returns the service's model alias for the first of these agents. */
async function modelOf(client: ServiceClient, agent: string): Promise<string> {
  const { agents } = await client.get<{ agents: AgentJson[] }>('/api/agents');
  const names = agent.split(',');
  return (
    (agents.find(({ name }) => names.includes(name)) ?? agents[0])?.model ??
    OPTIONS.model.schema.parse(undefined)
  );
}

/** Warns of a failed cue. A forbidden command does not end the speech; one after the end is reported with the end. */
function warnOfCue(terminal: CliContext['terminal'], { send }: Cue, error: unknown): void {
  const { code, message } = toBridgeError(error, 'INTERNAL', 'the command could not be sent');
  if (code !== 'SPEECH_UNKNOWN')
    terminal.warn(`warning: ${printable(send)} is not sent: ${printable(message)}`);
}

async function* one(text: string): AsyncGenerator<string, void, undefined> {
  yield text;
}

async function* encoded(text: AsyncIterable<string>): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const piece of text) if (piece) yield Buffer.from(piece);
}
