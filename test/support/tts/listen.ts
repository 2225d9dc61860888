import type { PcmBlock, SoundInfo } from '../../../src/audio/pcm.js';
import type { SpokenSegment } from '../../../src/tts/speech-events.js';
import type { SpeechSound } from '../../../src/tts/speech-sound.js';
import { blockMs } from '../../../src/tts/synthesis-job.js';

/** What was heard of a spoken text, filled while it sounds. */
export interface Listening {
  readonly blocks: PcmBlock[];
  readonly segments: SpokenSegment[];
  readonly marks: {
    readonly name: string;
    readonly commands: readonly string[];
    readonly atMs: number;
    readonly toldAtMs: number;
  }[];
  readonly skipped: string[];
  readonly warnings: string[];
  readonly infos: SoundInfo[];
  /** Length of the sound so far. */
  ms: number;
  /** Settles with the error that ended the sound, or undefined. */
  readonly done: Promise<unknown>;
  readonly abort: AbortController;
}

/**
 * Opens a spoken text and takes its sound.
 * @param take waits before each block, as a player does
 */
export function listen(sound: SpeechSound, take: () => Promise<void> = () => Promise.resolve()): Listening {
  const abort = new AbortController();
  const listening = {
    ...{ blocks: [], segments: [], marks: [], skipped: [], warnings: [], infos: [] },
    ...{ ms: 0, abort, done: Promise.resolve<unknown>(undefined) },
  } as Listening & { done: Promise<unknown> };
  sound.events.on('segment', (segment) => listening.segments.push(segment));
  sound.events.on('mark', ({ tag: { name, commands }, atMs }) =>
    listening.marks.push({ name, commands, atMs, toldAtMs: listening.ms }),
  );
  sound.events.on('skipped', ({ text }) => listening.skipped.push(text));
  const context = {
    signal: abort.signal,
    info: (info: SoundInfo) => void listening.infos.push(info),
    warn: (message: string) => void listening.warnings.push(message),
  };
  listening.done = (async () => {
    try {
      for await (const block of sound.open(context)) {
        listening.blocks.push(block);
        listening.ms += blockMs(block);
        await take();
      }
      return undefined;
    } catch (error) {
      return error;
    }
  })();
  return listening;
}
