import type { ServiceEventJson } from '../service/events.js';
import type { AgentJson } from '../service/schemas.js';
import { OPTIONS } from '../config.js';
import { withService, type AddCommand } from './command.js';
import { EXIT, Interrupted } from './exit-codes.js';
import { addClientOptions } from './flags.js';
import { speechLine } from './speech-lines.js';
import { printable, type Terminal } from './terminal.js';
import { Transcript } from './transcript.js';

interface WatchFlags {
  agent?: string;
  transcript?: string;
  json?: boolean;
}

/** `watch`: prints all events of the avatars. */
export const addWatch: AddCommand = (program, run) => {
  const command = program
    .command('watch')
    .summary('follow what the avatars say and do')
    .description(
      'Follows everything the avatars say and do, a line each, until Ctrl-C or the end of the service.',
    )
    .option(
      '--agent <name>',
      `only this avatar, or these, with commas between them (default: all; ${OPTIONS.agent.env})`,
    )
    .option('--transcript <file>', 'write the texts that are heard to a .vtt, .srt or .jsonl file')
    .option('--json', 'as JSON, an object a line');
  addClientOptions(command, { agent: false });
  command.action((flags: WatchFlags) =>
    run(
      command,
      (context) =>
        withService(command, context, async ({ client, abort }) => {
          const { terminal, env, onOutputGone } = context;
          const only = flags.agent ?? (env[OPTIONS.agent.env] || undefined);
          const off = onOutputGone(() => abort(new Interrupted()));
          const transcript =
            flags.transcript === undefined ? undefined : new Transcript(flags.transcript, new Date());
          try {
            let begun = false;
            for await (const event of client.events(only)) {
              transcript?.add(event);
              if (flags.json) terminal.json(event);
              else if (event.type === 'snapshot') {
                const whom = only === undefined ? 'every avatar' : only;
                terminal.warn(
                  `${begun ? 'Still following' : 'Following'} ${whom}; ${knownLine(event.agents)}.`,
                );
                begun = true;
              } else tell(terminal, event);
            }
            if (!flags.json) terminal.warn('The service has ended.');
            return EXIT.ok;
          } finally {
            off();
            transcript?.close();
          }
        }),
      flags,
    ),
  );
};

function knownLine(agents: readonly AgentJson[]): string {
  const names = agents.map(({ name, state }) => `${name} (${state})`);
  return `known: ${names.length === 0 ? 'none yet' : names.join(', ')}`;
}

function tell(terminal: Terminal, event: ServiceEventJson): void {
  const line = eventLine(event);
  if (line === undefined) return;
  const time = new Date(event.time).toTimeString().slice(0, 8);
  const agent = 'agent' in event ? `${event.agent}  ` : '';
  terminal.say(`${time}.${event.time.slice(20, 23)}  ${agent}${line}`);
}

/** Returns an event as a line of text; undefined for events that are not shown. */
function eventLine(event: ServiceEventJson): string | undefined {
  switch (event.type) {
    case 'message':
      return `${printable(event.text)}${event.truncated ? ' (cut off by the avatar)' : ''}`;
    case 'connected':
      return `* connected from ${event.remote}`;
    case 'ready':
      return `* ready after ${Math.round(event.afterMs)} ms, model ${printable(event.model)}`;
    case 'not-ready':
    case 'lost':
      return `* ${printable(event.error.detail)}`;
    case 'stalled':
      return event.stalled ? '* has stopped reading' : '* reads again';
    case 'relay':
      return event.state === 'refused'
        ? `* ${printable(event.program)}: ${printable(event.reason ?? '')}`
        : `* ${printable(event.program)} ${event.state === 'left' ? 'has left' : 'is relayed'}`;
    case 'missed':
      return `* ${event.count ?? 'some'} events were missed${event.node === undefined ? '' : ` of node ${event.node}`}`;
    case 'accepted':
      return `* takes on ${printable(event.label)}`;
    case 'state':
      return event.state === 'speaking' || event.state === 'paused'
        ? `* ${event.state} ${printable(event.label)}`
        : undefined;
    case 'ended':
      return `* ${speechLine(event.label, event) ?? ''}`;
    case 'waiting':
    case 'warning':
      return `* ${printable(event.message)}`;
    case 'sentence':
      return event.state === 'begun' ? `* says ${printable(event.text)}` : undefined;
    case 'cue':
    case 'gap':
    case 'info':
    case 'position':
    case 'snapshot':
    case 'closing':
      return undefined;
    case 'restarting':
      return '* the service goes on in a new process';
  }
}
