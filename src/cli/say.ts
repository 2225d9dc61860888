import { problemOf } from './client.js';
import { openClient, type AddCommand } from './command.js';
import { EXIT, Interrupted } from './exit-codes.js';
import { addClientOptions, addOverrides, readOptions, readOverrides } from './flags.js';
import { addTextOptions, textQuery } from './text-query.js';
import { endLine, isSeveral, progressLine, speechLine, speechName } from './speech-lines.js';
import { SpeechRequest } from './speech-request.js';

interface SayFlags {
  interrupt?: boolean;
  command?: string;
  json?: boolean;
}

const LABEL = 'the text';

/** `say TEXT`: text to speech through the running service. */
export const addSay: AddCommand = (program, run) => {
  const command = program
    .command('say')
    .summary('speak a text, also while it is being written')
    .description(
      'Speaks a text through the running service. With - the text is read from standard input and spoken while it is ' +
        'still being written: the first sentence sounds while the next ones are to come.',
    )
    .argument('<text...>', 'what to say; - is standard input')
    .option('--interrupt', 'end what is spoken and drop what waits, and speak at once')
    .option(
      '--command <line>',
      'for --engine command: a program that writes a sound (needs serve --allow-dangerous)',
    )
    .option('--json', 'what happens as JSON, an object a line');
  addTextOptions(command);
  addOverrides(command, ['leadMs', 'model']);
  addClientOptions(command, { agent: true });
  command.action((words: string[], flags: SayFlags) =>
    run(
      command,
      async ({ terminal, env, stdin, onInterrupt }) => {
        const { agent } = readOptions(command, ['agent'], env);
        const { leadMs, model } = readOverrides(command, ['leadMs', 'model']);
        const manner = await textQuery(command, env, flags.command);
        const session = openClient(command, env);
        try {
          await session.client.check();
          const request = new SpeechRequest(session.client, {
            agent,
            label: LABEL,
            route: 'say',
            bytes: words.length === 1 && words[0] === '-' ? stdin : one(words.join(' ')),
            query: {
              ...manner,
              model,
              leadMs: leadMs === 'auto' ? undefined : leadMs,
              when: flags.interrupt ? 'interrupt' : undefined,
            },
            onEvent: (event) => {
              if (flags.json) return terminal.json(event);
              const name = speechName(agent, LABEL, event);
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
            if (!flags.json && !isSeveral(agent) && (ended.how !== 'failed' || ended.heardMs > 0))
              terminal.say(`${LABEL}: ${endLine(ended)}`);
            if (ended.how === 'completed') return EXIT.ok;
            if (interruptions > 0) return EXIT.interrupted;
            throw problemOf(ended.error) ?? new Interrupted();
          } finally {
            off();
          }
        } finally {
          session.close();
        }
      },
      flags,
    ),
  );
};

async function* one(text: string): AsyncGenerator<Uint8Array, void, undefined> {
  yield Buffer.from(text);
}
