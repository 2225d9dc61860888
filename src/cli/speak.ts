import { BridgeError } from '../base/errors.js';
import type { Cue } from '../speech/cues.js';
import type { AgentJson } from '../service/schemas.js';
import { problemOf, type ServiceClient } from './client.js';
import { openClient, type AddCommand, type CliContext } from './command.js';
import { EXIT, Interrupted } from './exit-codes.js';
import { addClientOptions, readOptions } from './flags.js';
import type { SentRecording } from './sent-recording.js';
import { namedSounds, type NamedSound } from './sound-files.js';
import { addSpeechOptions, readCues, speechQuery, whenOf, type SpeechFlags } from './speech-options.js';
import { endLine, isSeveral, progressLine, speechLine, speechName } from './speech-lines.js';
import { SpeechRequest, type SpeechEnded } from './speech-request.js';

interface SpeakFlags extends SpeechFlags {
  format?: string;
  save?: string;
  json?: boolean;
}

/** `speak FILE…`: speaks sounds through the running service. */
export const addSpeak: AddCommand = (program, run) => {
  const command = program
    .command('speak')
    .summary('speak sound files through the running service')
    .description(
      'Speaks sound files through the running service, one after the other, and ends when the avatar has played them all. ' +
        'Ctrl-C stops the speech, not the service.',
    )
    .argument('<file...>', 'sound files or http(s) addresses; - is standard input')
    .option('--format <format>', 'data without a head: encoding:rate:channels, such as s16le:24000:1')
    .option('--save <file>', 'write what was sent to a WAV file, 16 kHz mono')
    .option('--json', 'what happens as JSON, an object a line');
  addSpeechOptions(command);
  addClientOptions(command, { agent: true });
  command.action((files: string[], flags: SpeakFlags) =>
    run(
      command,
      async (context) => {
        const { env, stdin } = context;
        const { agent } = readOptions(command, ['agent'], env);
        const asked = speechQuery(command, flags);
        const sounds = await namedSounds(files, stdin);
        const cues = await readCues(flags);
        const session = openClient(command, env);
        let recording: SentRecording | undefined;
        try {
          await session.client.check();
          recording = flags.save === undefined ? undefined : await openRecording(flags.save, context);
          return await speakAll(context, session.client, {
            agent,
            sounds,
            cues,
            query: { ...asked, format: flags.format, sent: recording && true },
            recording,
            first: whenOf(flags),
            json: flags.json === true,
            abort: (reason) => session.abort(reason),
          });
        } finally {
          await recording?.close();
          session.close();
        }
      },
      flags,
    ),
  );
};

interface SpeakPlan {
  readonly agent: string;
  readonly sounds: readonly NamedSound[];
  /** Cues of the first sound. */
  readonly cues: readonly Cue[];
  readonly query: Readonly<Record<string, string | number | boolean | undefined>>;
  /** `when` of the first sound; the others are queued behind it. */
  readonly first: 'interrupt' | 'if-idle' | undefined;
  readonly json: boolean;
  readonly recording: SentRecording | undefined;
  abort(reason: Error): void;
}

async function speakAll(
  { terminal, onInterrupt }: CliContext,
  client: ServiceClient,
  plan: SpeakPlan,
): Promise<number> {
  const leadMs = terminal.interactive && !plan.json ? await leadOf(client, plan) : undefined;
  const open = new Set<SpeechRequest>();
  let interrupted = 0;
  const stopAll = (): void => {
    for (const request of [...open].reverse()) void request.stop().catch(() => undefined);
  };
  const offInterrupt = onInterrupt(() => {
    interrupted += 1;
    terminal.live('');
    // Before the service has accepted it there is nothing to wait for. Open requests stop with the connection.
    const waiting = [...open].every((request) => request.accepted) && open.size > 0;
    if (interrupted > 1 || !waiting) return plan.abort(new Interrupted());
    if (!plan.json) terminal.warn('Stopping; once more ends this command at once.');
    stopAll();
  });

  const speak = ({ label, open: openSound }: NamedSound, index: number): SpeechRequest => {
    const request = new SpeechRequest(client, {
      agent: plan.agent,
      label,
      bytes: openSound(),
      query: { ...plan.query, when: index === 0 ? plan.first : undefined },
      cues: index === 0 ? plan.cues : [],
      onEvent: (event) => {
        if (event.type === 'sent') return plan.recording?.take(event.samples);
        if (plan.json) return terminal.json(event);
        const name = speechName(plan.agent, label, event);
        if (event.type === 'position') return terminal.live(progressLine(name, event, leadMs));
        if (event.type === 'ended') terminal.live('');
        // The result of a stop is printed below, once for all.
        const later = event.type === 'ended' && event.how !== 'completed' && !isSeveral(plan.agent);
        const line = later ? undefined : speechLine(name, event);
        if (line !== undefined) terminal.say(line);
      },
    });
    open.add(request);
    return request;
  };

  try {
    const running: { request: SpeechRequest; label: string }[] = [];
    for (const [index, sound] of plan.sounds.entries()) {
      if (interrupted > 0) break;
      const request = speak(sound, index);
      running.push({ request, label: sound.label });
      // Queue the next sound as soon as this one plays and is fully uploaded, so that there is no pause in between.
      await Promise.race([Promise.all([request.started, request.uploaded]), request.ended]);
      while (running.length > 1 || running[0]?.request.over) await finish(running.shift()!);
    }
    for (let next = running.shift(); next; next = running.shift()) await finish(next);
    return interrupted > 0 ? EXIT.interrupted : EXIT.ok;
  } finally {
    stopAll();
    offInterrupt();
    terminal.live('');
  }

  async function finish({ request, label }: { request: SpeechRequest; label: string }): Promise<SpeechEnded> {
    const ended = await request.ended;
    open.delete(request);
    if (ended.how === 'completed') return ended;
    if (
      !plan.json &&
      !isSeveral(plan.agent) &&
      (interrupted > 0 || ended.how !== 'failed' || ended.heardMs > 0)
    ) {
      terminal.say(`${label}: ${endLine(ended)}`);
    }
    if (interrupted > 0) throw new Interrupted();
    throw problemOf(ended.error) ?? new BridgeError('INTERNAL', `${label} ended without a reason.`);
  }
}

async function openRecording(path: string, context: CliContext): Promise<SentRecording> {
  // Loaded only here: it brings all the audio code, which nothing else needs.
  const { SentRecording } = await import('./sent-recording.js');
  return SentRecording.open(path, context);
}

async function leadOf(client: ServiceClient, { agent, query }: SpeakPlan): Promise<number | undefined> {
  if (typeof query['leadMs'] === 'number') return query['leadMs'];
  const { agents } = await client.get<{ agents: AgentJson[] }>('/api/agents');
  return agents.find(({ name }) => name === agent)?.leadMs;
}
