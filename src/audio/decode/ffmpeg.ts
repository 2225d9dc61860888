import { findProgram, startProgram, type Program } from '../../base/child.js';
import { BridgeError } from '../../base/errors.js';
import { SAMPLE_RATE_HZ } from '../../base/units.js';
import type { Decode, EncodedChunk, PcmBlock, SoundContext } from '../pcm.js';
import { DamageGuard } from './damage.js';
import { FfmpegLog } from './ffmpeg-log.js';
import { FOREIGN_HEAD_BYTES, foreignFormat, type ForeignFormat } from './foreign.js';
import { indexFirst } from './index-first.js';
import { indexedContainer } from './indexed-container.js';
import { Lookahead } from './lookahead.js';
import { SampleReader } from './samples.js';

/**
 * Reads no further ahead than it must: AAC sounds after 80 ms of input instead of 670. `-fflags nobuffer`, often seen
 * beside these two, throws away what was read to find the format: the first packet, and with it the first syllable.
 */
const LOW_LATENCY = ['-probesize', '32', '-analyzeduration', '0'];

/**
 * 16 kHz mono, because ffmpeg's resampler and its downmix of surround sound are good (-138 dB; -99 dB for aliases),
 * cost next to nothing, and spare a pipe of 384 kB/s. Floats, because AAC, Vorbis and Opus are decoded to floats:
 * they are then rounded once, at the end, and their overshoots survive a gain.
 */
const OUTPUT = [
  ...['-f', 'f32le', '-ar', String(SAMPLE_RATE_HZ), '-ac', '1'],
  // A downmix to floats is the channels' sum otherwise: stereo 3 dB too loud, surround sound 11.
  ...['-rematrix_maxval', '1'],
  ...['-flush_packets', '1', 'pipe:1'],
];

/** A sound may miss this much of the length it claims before it counts as cut off: codecs pad, containers round. */
const SLACK_MS = 150;

/**
 * Any format that the installed ffmpeg knows, of those in {@link foreignFormat}. ffmpeg runs as a child process and
 * reads only the bytes it is given, through a pipe: playlists and references that would have it open files or addresses do
 * not work. A container whose index stands behind its sound is put in order here, in memory.
 * @throws BridgeError SOUND_UNKNOWN, FFMPEG_MISSING, SOUND_EMPTY, SOUND_BROKEN, SOUND_TOO_LARGE
 */
export const decodeWithFfmpeg: Decode = async function* (chunks, label, context) {
  const input = new Lookahead(chunks);
  try {
    const head = await input.peek(FOREIGN_HEAD_BYTES);
    const format = foreignFormat(head);
    if (!format) throw new BridgeError('SOUND_UNKNOWN', `${label} is in no format that is known here.`);
    const path = await findProgram('ffmpeg');
    if (!path)
      throw new BridgeError(
        'FFMPEG_MISSING',
        `${label} is ${format.name} audio, which needs the program ffmpeg, and there is no ffmpeg on the PATH.`,
      );
    const container = indexedContainer(head);
    const bytes = container ? indexFirst(input, container, label) : input;
    const args = ['-protocol_whitelist', 'pipe', ...LOW_LATENCY, '-f', format.demuxer, '-i', 'pipe:0'];
    yield* decode(path, args, bytes, format, label, context);
  } finally {
    await input.close();
  }
};

async function* decode(
  path: string,
  inputArgs: readonly string[],
  stdin: AsyncIterable<EncodedChunk>,
  format: ForeignFormat,
  label: string,
  context: SoundContext,
): AsyncGenerator<PcmBlock> {
  const log = new FfmpegLog(format.name);
  const common = ['-hide_banner', '-nostats', '-loglevel', 'level+info', '-threads', '1'];
  const streams = ['-map', '0:a:0', '-vn', '-sn', '-dn', '-map_metadata', '-1'];
  const program = startProgram(path, [...common, ...inputArgs, ...streams, ...OUTPUT], {
    signal: context.signal,
    onStderrLine: (line) => log.line(line),
    stdin,
  });
  const guard = new DamageGuard();
  let samples = 0;
  let told = false;
  const reader = new SampleReader('f32le', SAMPLE_RATE_HZ, 1);
  for await (const bytes of program.stdout) {
    const block = reader.push(bytes);
    if (!block) continue;
    // Both pipes are read in the same turn of the event loop, and the words came first.
    if (!told) await new Promise((resolve) => setImmediate(resolve));
    if (!told && log.info) context.info(log.info);
    told = true;
    samples += block.samples.length;
    guard.check(block.samples, 1, SAMPLE_RATE_HZ);
    yield block;
  }
  await judge(program, log, samples, format, label, context);
  guard.report(label, context);
}

/** Says how it went; throws when it went so badly that the sound must not pass for a whole one. */
async function judge(
  program: Program,
  log: FfmpegLog,
  samples: number,
  format: ForeignFormat,
  label: string,
  context: SoundContext,
): Promise<void> {
  const exit = await program.exit;
  if (exit.error)
    throw new BridgeError('FFMPEG_MISSING', `ffmpeg could not be started: ${exit.error.message}.`, {
      cause: exit.error,
    });
  const said =
    log.lastError || program.stderrTail().split('\n').at(-1) || `it ended with status ${exit.code}`;
  if (/matches no streams/.test(said))
    throw new BridgeError('SOUND_EMPTY', `${label} is a ${format.name} file without any sound in it.`);
  if (exit.code !== 0) {
    const what = samples > 0 ? 'broke off' : 'could not be decoded';
    const how = exit.signal ? `ffmpeg was ended by ${exit.signal}` : `ffmpeg says "${said}"`;
    throw new BridgeError('SOUND_BROKEN', `${label} (${format.name}) ${what}: ${how}.`);
  }
  if (samples === 0) {
    if (log.errors > 0)
      throw new BridgeError(
        'SOUND_BROKEN',
        `${label} (${format.name}) could not be decoded: ffmpeg says "${said}".`,
      );
    throw new BridgeError('SOUND_EMPTY', `${label} is a ${format.name} file without any sound in it.`);
  }
  const missingMs = (log.info?.durationMs ?? 0) - (samples / SAMPLE_RATE_HZ) * 1000;
  if (missingMs > SLACK_MS)
    context.warn(
      `${label} is cut off: ${Math.round(missingMs)} ms of the length that it claims are missing.`,
    );
  else if (log.errors > 0)
    context.warn(`${label} is damaged: ffmpeg reported ${log.errors} errors, the last one "${said}".`);
}
