import type { SoundInfo } from '../pcm.js';

/** Matches `[aac @ 0x55f…] [error] text`, ffmpeg's format with `-loglevel level+info`. */
const LINE = /^(?:\[[^\]]+ @ [^\]]+\] )*\[(panic|fatal|error|warning|info)\] (.*)$/;
const DURATION = /^ {2}Duration: (\d+):(\d+):(\d+(?:\.\d+)?)(?:, start: (-?\d+\.\d+))?/;
const AUDIO = /^ {2}Stream #0:\d+[^:]*(?:\([^)]*\))?: Audio: ([\w-]+).*?, (\d+) Hz, ([^,]+)/;

/** Channel counts of the layouts that ffmpeg names without a number. */
const LAYOUTS: Readonly<Record<string, number>> = {
  mono: 1,
  stereo: 2,
  downmix: 2,
  quad: 4,
  hexagonal: 6,
  octagonal: 8,
};

/** Parses ffmpeg's standard error: the description of the sound, and its faults. */
export class FfmpegLog {
  /** Number of lines of level error or worse. */
  errors = 0;
  /** Last of these lines, without addresses, which change from run to run. */
  lastError = '';
  readonly #container: string;
  #inInput = false;
  #durationMs: number | undefined;
  #isEstimated = false;
  #startMs = 0;
  #sound: Omit<SoundInfo, 'durationMs'> | undefined;
  /** True when there are other streams beside the sound, which may determine the container's length. */
  #hasOthers = false;

  /** @param container name of the format for people, such as `MP4` */
  constructor(container: string) {
    this.#container = container;
  }

  /** Description of the input's first audio stream; undefined when it was not opened. */
  get info(): SoundInfo | undefined {
    return (
      this.#sound && {
        ...this.#sound,
        durationMs: this.#hasOthers || this.#isEstimated ? undefined : this.#durationMs,
      }
    );
  }

  /** Minimum length of the sound, in ms, if its length is known: it may begin late. */
  get expectedMs(): number {
    return (this.info?.durationMs ?? 0) - Math.max(0, this.#startMs);
  }

  /** @param text one line, without its end */
  line(text: string): void {
    const match = LINE.exec(text);
    if (!match) return;
    const [, level, said] = match as unknown as [string, string, string];
    // For a stream without a header ffmpeg only estimates the length.
    if (said.startsWith('Estimating duration from bitrate')) this.#isEstimated = true;
    else if (level === 'info') this.#readInfo(said);
    else if (level !== 'warning') {
      this.errors += 1;
      this.lastError = said.trim();
    }
  }

  #readInfo(said: string): void {
    if (said.startsWith('Input #0')) this.#inInput = true;
    else if (/^(Output #|Stream mapping)/.test(said)) this.#inInput = false;
    if (!this.#inInput) return;
    const duration = DURATION.exec(said);
    if (duration) {
      const [hours, minutes, seconds, start = 0] = duration.slice(1).map(Number);
      this.#durationMs = ((hours! * 60 + minutes!) * 60 + seconds!) * 1000 || undefined;
      this.#startMs = start * 1000 || 0;
    }
    if (!/^ {2}Stream #0:/.test(said)) return;
    const audio = AUDIO.exec(said);
    if (!audio || this.#sound) {
      // A cover image is not video.
      if (!said.includes('(attached pic)')) this.#hasOthers = true;
      return;
    }
    const [, codec, rate, layout] = audio as unknown as [string, string, string, string];
    this.#sound = {
      format: `${this.#container} (${codec})`,
      sampleRateHz: Number(rate),
      channels: channelCount(layout),
    };
  }
}

/** Parses `stereo`, `5.1(side)`, `3 channels`. */
function channelCount(layout: string): number {
  const named = LAYOUTS[layout.replace(/\(.*/, '').trim()];
  if (named) return named;
  const [whole = '1', low = '0'] = /^(\d+)(?:\.(\d+))?/.exec(layout)?.slice(1) ?? [];
  return Math.max(1, Number(whole) + Number(low));
}
