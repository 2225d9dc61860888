import { Option } from 'commander';
import { createConverter } from '../audio/convert.js';
import type { Level } from '../audio/level.js';
import { MAX_HANG_OVER_MS, MAX_PRE_ROLL_MS } from '../audio/gate.js';
import type { LatencyJson } from '../service/schemas.js';
import type { Sound } from '../audio/pcm.js';
import { gatedSound } from '../source/gated.js';
import { microphoneSound } from '../source/microphone.js';
import { RECORDER_NAMES, type RecorderName } from '../source/recorders/recorder.js';
import { problemOf } from './client.js';
import { openClient, type AddCommand, type CliContext } from './command.js';
import { EXIT, Interrupted } from './exit-codes.js';
import { addClientOptions, addOverrides, readOptions, readOverrides } from './flags.js';
import { decimal, wholeNumber } from './numbers.js';
import { SentRecording } from './sent-recording.js';
import { modeOption } from './speech-options.js';
import { endLine, speechLine, speechName } from './speech-lines.js';
import { SpeechRequest } from './speech-request.js';
import { printable } from './terminal.js';

/** Default lead of a microphone's sound, in ms: low, because people wait for an answer. */
const MIC_LEAD_MS = 80;
const METER_CELLS = 30;
const METER_FLOOR_DBFS = -60;

interface MicFlags {
  device?: string;
  recorder: RecorderName | 'auto';
  gainDb?: number;
  gate?: boolean;
  hangOverMs?: number;
  preRollMs?: number;
  mode?: 'file' | 'stream';
  save?: string;
  json?: boolean;
}

/** `mic`: speaks live from a microphone. */
export const addMic: AddCommand = (program, run) => {
  const command = program
    .command('mic')
    .summary('speak live through a microphone')
    .description('Speaks what a microphone hears, live and with a small lead, until Ctrl-C.')
    .option('--device <name>', 'which one, as devices lists it (default: the system’s)')
    .addOption(
      new Option('--recorder <name>', 'the program that records')
        .choices(['auto', ...RECORDER_NAMES])
        .default('auto'),
    )
    .option('--gain-db <dB>', 'louder or quieter (default 0)', decimal)
    .option('--gate', 'send only while someone speaks')
    .option(
      '--hang-over-ms <ms>',
      `how long the gate stays open after the voice has gone, 0 to ${MAX_HANG_OVER_MS} (default 700)`,
      wholeNumber,
    )
    .option(
      '--pre-roll-ms <ms>',
      `sound from before the gate opened that is sent along, 0 to ${MAX_PRE_ROLL_MS} (default 200); so much later all is heard`,
      wholeNumber,
    )
    .addOption(modeOption())
    .option('--save <file>', 'write what was sent to a WAV file, 16 kHz mono')
    .option('--json', 'what happens as JSON, an object a line');
  addOverrides(command, ['leadMs', 'model']);
  addClientOptions(command, { agent: true });
  command.action((flags: MicFlags) =>
    run(
      command,
      async (context) => {
        const { agent } = readOptions(command, ['agent'], context.env);
        const { leadMs = MIC_LEAD_MS, model } = readOverrides(command, ['leadMs', 'model']);
        const session = openClient(command, context.env);
        let recording: SentRecording | undefined;
        try {
          await session.client.check();
          recording = flags.save === undefined ? undefined : await SentRecording.open(flags.save, context);
          const listening = openMicrophone(flags, context, (reason) => session.abort(reason));
          const request = new SpeechRequest(session.client, {
            agent,
            label: 'microphone',
            bytes: listening.bytes(),
            query: {
              ...{ format: 's16le:16000:1', live: true, burstMs: listening.burstMs },
              leadMs,
              model,
              mode: flags.mode,
              sent: recording && true,
            },
            onEvent: (event) => {
              if (event.type === 'sent') return recording?.take(event.samples);
              if (event.type === 'position') listening.latency = event.latency;
              if (flags.json) return context.terminal.json(event);
              // The upload's format is of no interest to the user.
              if (event.type === 'info') return;
              const line = speechLine(speechName(agent, 'microphone', event), event);
              if (line !== undefined && event.type !== 'ended') context.terminal.say(line);
            },
          });
          return await untilInterrupted(context, request, listening, flags.json === true);
        } finally {
          await recording?.close();
          session.close();
        }
      },
      flags,
    ),
  );
};

interface Listening {
  /** Last reported age of the sound when it left the service. */
  latency: LatencyJson | null;
  /** Maximum sound that may arrive at once, in ms. */
  readonly burstMs: number | undefined;
  bytes(): AsyncGenerator<Uint8Array, void, undefined>;
  /** Ends the recording; recorded sound is still spoken. */
  stop(): void;
}

/** Opens the microphone as bytes of 16 kHz mono sound. */
function openMicrophone(flags: MicFlags, { terminal }: CliContext, fail: (reason: Error) => void): Listening {
  const controller = new AbortController();
  let gateOpen = !flags.gate;
  const microphone = microphoneSound({
    recorder: flags.recorder,
    ...(flags.device !== undefined && { device: flags.device }),
    ...(flags.gainDb !== undefined && { gainDb: flags.gainDb }),
    ...(!flags.json && {
      onLevel: (level: Level) => terminal.live(meterLine(level, gateOpen, listening.latency)),
    }),
  });
  const sound: Sound = flags.gate
    ? gatedSound(microphone, {
        ...(flags.hangOverMs !== undefined && { hangOverMs: flags.hangOverMs }),
        ...(flags.preRollMs !== undefined && { preRollMs: flags.preRollMs }),
        onChange: (open) => (gateOpen = open),
      })
    : microphone;
  const bytes = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
    const converter = await createConverter(sound.label);
    try {
      const blocks = sound.open({
        signal: controller.signal,
        info: ({ format }) => {
          if (!flags.json) terminal.say(`listening: ${printable(format)}. Ctrl-C ends it.`);
        },
        warn: (message) => terminal.warn(`warning: ${printable(message)}`),
      });
      for await (const block of blocks) {
        const samples = converter.push(block);
        // Copied: the converter may reuse its buffer before the upload has taken it.
        if (samples.length > 0) yield Buffer.from(samples.slice().buffer);
      }
    } catch (error) {
      if (controller.signal.aborted) return;
      fail(error as Error);
      throw error;
    } finally {
      converter.close();
    }
  };
  const listening: Listening = {
    latency: null,
    burstMs: sound.burstMs,
    bytes,
    stop: () => controller.abort(new Error('the recording was ended')),
  };
  return listening;
}

async function untilInterrupted(
  { terminal, onInterrupt }: CliContext,
  request: SpeechRequest,
  listening: Listening,
  json: boolean,
): Promise<number> {
  let interrupted = 0;
  const off = onInterrupt(() => {
    interrupted += 1;
    terminal.live('');
    listening.stop();
    // The first Ctrl-C lets recorded sound be spoken to its end; the next one cuts it off.
    if (interrupted > 1) void request.stop().catch(() => undefined);
  });
  try {
    const ended = await request.ended;
    terminal.live('');
    if (!json) terminal.say(`microphone: ${endLine(ended)}`);
    if (ended.how === 'completed' || interrupted > 0) return EXIT.ok;
    throw problemOf(ended.error) ?? new Interrupted();
  } finally {
    listening.stop();
    off();
    terminal.live('');
  }
}

/** Returns the level as a bar from -60 dBFS to full scale, and the age of the sound when sent to the avatar. */
export function meterLine({ peakDbfs, rmsDbfs }: Level, open: boolean, latency: LatencyJson | null): string {
  const cells = (dbfs: number): number =>
    Math.max(0, Math.min(METER_CELLS, Math.round((1 - dbfs / METER_FLOOR_DBFS) * METER_CELLS)));
  const [peak, rms] = [cells(peakDbfs), cells(rmsDbfs)];
  const bar = '#'.repeat(rms) + '-'.repeat(Math.max(0, peak - rms));
  const wire = latency ? `  to wire ${latency.p50Ms.toFixed(0)} ms (max ${latency.maxMs.toFixed(0)})` : '';
  return `[${bar.padEnd(METER_CELLS, ' ')}] ${rmsDbfs.toFixed(0).padStart(4)} dB ${open ? 'sending' : 'quiet'}${wire}`;
}
