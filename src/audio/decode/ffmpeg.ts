import { findProgram, startProgram, type Program } from '../../base/child.js';
import { BridgeError } from '../../base/errors.js';
import { SAMPLE_RATE_HZ } from '../../base/units.js';
import type { Decode, EncodedChunk, PcmBlock, SoundContext } from '../pcm.js';
import { DamageGuard } from './damage.js';
import { FfmpegLog } from './ffmpeg-log.js';
import { FOREIGN_HEAD_BYTES, foreignFormat, type ForeignFormat } from './foreign.js';
import { Lookahead } from './lookahead.js';
import { OggPages, type OggPage } from './ogg-pages.js';
import { toTemporaryFile, type TemporaryFile } from './temporary-file.js';
import { WavParser } from './wav.js';

/**
 * Options for minimal read-ahead: AAC starts after 80 ms of input instead of 670. `-fflags nobuffer`, often
 * used with these two, discards the data read to find the format: the first packet, and with it the first
 * syllable.
 */
const LOW_LATENCY = ['-probesize', '32', '-analyzeduration', '0'];
/**
 * Options for containers without a list of streams in their header: the sound may begin after some of the
 * picture.
 */
const LATE_STREAMS = ['-probesize', '500000'];
const WITHOUT_LIST = new Set(['flv', 'mpeg', 'mpegts']);

/**
 * Output format of ffmpeg. 16 kHz, because ffmpeg's resampler is good (-138 dB; -99 dB for aliases), costs
 * next to nothing, and saves a pipe of 384 kB/s. Floats, because AAC, Vorbis and Opus are decoded to floats:
 * they are rounded once, at the end, and their overshoots survive a gain. WAV, because its header maps
 * channels to speakers.
 */
const OUTPUT = [
  ...['-ar', String(SAMPLE_RATE_HZ), '-c:a', 'pcm_f32le', '-f', 'wav', '-bitexact'],
  ...['-flush_packets', '1', 'pipe:1'],
];

/**
 * Length, in ms, by which a sound may be shorter than claimed before it counts as cut off: codecs pad,
 * containers round.
 */
const SLACK_MS = 150;

/** Bytes that are searched for a container's index. */
const MAX_INDEX_AT_BYTES = 65_536;

/**
 * Decodes any format of {@link foreignFormat} that the installed ffmpeg knows. ffmpeg runs as a child process
 * with the reader of that format forced, and may use only a pipe or a file, so that playlists and references
 * to other files or addresses do not work. A file is read by its path; bytes go through a pipe, or through a
 * temporary file where the format needs it.
 * @throws BridgeError SOUND_UNKNOWN, FFMPEG_MISSING, SOUND_EMPTY, SOUND_BROKEN, SOUND_TOO_LARGE
 */
export const decodeWithFfmpeg: Decode = async function* (chunks, label, context, path) {
  const input = new Lookahead(chunks);
  let temporary: TemporaryFile | undefined;
  try {
    const format = foreignFormat(await input.peek(FOREIGN_HEAD_BYTES));
    if (!format) throw new BridgeError('SOUND_UNKNOWN', `${label} is of no format that is known.`);
    const program = await findProgram('ffmpeg');
    if (!program)
      throw new BridgeError(
        'FFMPEG_MISSING',
        `${label} is ${format.name} audio, which needs the program ffmpeg, and there is no ffmpeg on the PATH.`,
      );
    const isOgg = format.demuxer === 'ogg';
    if (path === undefined && !(await canBePiped(input, format)))
      temporary = await toTemporaryFile(input, label);
    const file = temporary?.path ?? (isOgg ? undefined : path);
    const pages = isOgg ? new OggWatch() : undefined;
    const stdin = file === undefined ? (pages?.pass(input) ?? input) : undefined;
    if (file !== undefined) await input.close();
    const probing = WITHOUT_LIST.has(format.demuxer) ? LATE_STREAMS : LOW_LATENCY;
    const args = stdin
      ? ['-protocol_whitelist', 'pipe', ...probing, '-f', format.demuxer, '-i', 'pipe:0']
      : ['-protocol_whitelist', 'file', '-f', format.demuxer, '-i', `file:${file!}`];
    yield* decode({ program, args, stdin, format, label, context, pages });
  } finally {
    await input.close();
    await temporary?.remove();
  }
};

/** Returns true when ffmpeg can read these bytes from front to back. */
async function canBePiped(input: Lookahead, { fromPipe }: ForeignFormat): Promise<boolean> {
  if (fromPipe === 'always' || fromPipe === 'never') return fromPipe === 'always';
  const { headBytes, parts, index, sound } = fromPipe;
  // Packets of equal size, as those of plain samples in a CAF, need no index.
  if (parts === 'name-size64' && (await input.peek(40)).subarray(36, 40).some((byte) => byte !== 0))
    return true;
  for (let at = headBytes; at < MAX_INDEX_AT_BYTES;) {
    const head = Buffer.from((await input.peek(at + 16)).subarray(at));
    if (head.length < 12) return false;
    const name = head.toString('latin1', parts === 'size32-name' ? 4 : 0).slice(0, 4);
    if (index.includes(name)) return true;
    if (name === sound) return false;
    const size32 = head.readUInt32BE(parts === 'size32-name' ? 0 : 4);
    const bytes =
      parts === 'name-size64'
        ? 12 + Number(head.readBigInt64BE(4))
        : parts === 'name-size32'
          ? 8 + size32 + (size32 % 2)
          : size32 === 1 && head.length >= 16
            ? Number(head.readBigUInt64BE(8))
            : size32;
    if (!(bytes >= 8)) return false;
    at += bytes;
  }
  return false;
}

/**
 * Tracks the pages of an Ogg stream: ffmpeg reports neither a missing end nor that a link of a chain is
 * intact.
 */
class OggWatch {
  readonly #pages = new OggPages();
  readonly #open = new Set<number>();
  #isCut = false;

  get isCutOff(): boolean {
    return this.#isCut || this.#open.size > 0;
  }

  get isIntact(): boolean {
    return this.#pages.strayBytes === 0 && this.#pages.wrongChecksums === 0;
  }

  async *pass(chunks: AsyncIterable<EncodedChunk>): AsyncGenerator<EncodedChunk, void, undefined> {
    for await (const chunk of chunks) {
      this.#follow(this.#pages.push(chunk));
      yield chunk;
    }
    const { pages, cutOff } = this.#pages.end();
    this.#follow(pages);
    this.#isCut = cutOff;
  }

  #follow(pages: readonly OggPage[]): void {
    for (const { serial, last } of pages) {
      if (last) this.#open.delete(serial);
      else this.#open.add(serial);
    }
  }
}

/** A run of ffmpeg. */
interface Run {
  readonly program: string;
  readonly args: readonly string[];
  readonly stdin: AsyncIterable<EncodedChunk> | undefined;
  readonly format: ForeignFormat;
  readonly label: string;
  readonly context: SoundContext;
  readonly pages: OggWatch | undefined;
}

async function* decode(run: Run): AsyncGenerator<PcmBlock> {
  const { format, label, context, stdin } = run;
  const log = new FfmpegLog(format.name);
  const common = ['-hide_banner', '-nostats', '-nostdin', '-loglevel', 'level+info', '-threads', '1'];
  const streams = ['-map', '0:a:0', '-vn', '-sn', '-dn', '-map_metadata', '-1'];
  const program = startProgram(run.program, [...common, ...run.args, ...streams, ...OUTPUT], {
    signal: context.signal,
    onStderrLine: (line) => log.line(line),
    ...(stdin && { stdin }),
  });
  const guard = new DamageGuard();
  let frames = 0;
  let told = false;
  const parser = new WavParser(label, { info: () => undefined, warn: () => undefined });
  for await (const bytes of program.stdout) {
    for (const block of parser.push(bytes)) {
      // Both pipes are read in the same turn of the event loop, and the log was written first.
      if (!told) await new Promise((resolve) => setImmediate(resolve));
      if (!told && log.info) context.info(log.info);
      told = true;
      frames += block.samples.length / block.channels;
      guard.check(block.samples, block.channels, SAMPLE_RATE_HZ);
      yield block;
    }
  }
  await judge(program, log, frames, run);
  guard.report(label, context);
}

/** Reports the result; throws when the sound must not count as complete. */
async function judge(
  program: Program,
  log: FfmpegLog,
  frames: number,
  { format, label, context, pages }: Run,
): Promise<void> {
  const exit = await program.exit;
  if (exit.error)
    throw new BridgeError('FFMPEG_MISSING', `ffmpeg could not be started: ${exit.error.message}.`, {
      cause: exit.error,
    });
  const said =
    log.lastError || program.stderrTail().split('\n').at(-1) || `it ended with status ${exit.code}`;
  const empty = (): BridgeError =>
    new BridgeError('SOUND_EMPTY', `${label} is ${format.name} without any sound in it.`);
  if (/matches no streams/.test(said)) throw empty();
  if (exit.code !== 0) {
    const what = frames > 0 ? 'broke off' : 'could not be decoded';
    const how = exit.signal ? `ffmpeg was ended by ${exit.signal}` : `ffmpeg says "${said}"`;
    throw new BridgeError('SOUND_BROKEN', `${label} (${format.name}) ${what}: ${how}.`);
  }
  if (frames === 0) {
    if (log.errors === 0) throw empty();
    throw new BridgeError(
      'SOUND_BROKEN',
      `${label} (${format.name}) could not be decoded: ffmpeg says "${said}".`,
    );
  }
  const missingMs = log.expectedMs - (frames / SAMPLE_RATE_HZ) * 1000;
  if (missingMs > SLACK_MS)
    context.warn(
      `${label} is cut off: ${Math.round(missingMs)} ms of the length that it claims are missing.`,
    );
  else if (pages?.isCutOff === true) context.warn(`${label} is cut off: it has no last page.`);
  else if (log.errors > 0 && pages?.isIntact !== true)
    context.warn(`${label} is damaged: ffmpeg reported ${log.errors} errors, the last one "${said}".`);
}
