import type { SoundInfo } from '../pcm.js';

/** `[aac @ 0x55f…] [error] text`, as ffmpeg writes with `-loglevel level+info`. */
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

/** Reads what ffmpeg says on its standard error: what the sound is, and what was wrong with it. */
export class FfmpegLog {
  /** Lines of level error or worse. */
  errors = 0;
  /** The last of them, without the addresses that change from run to run. */
  lastError = '';
  readonly #container: string;
  #inInput = false;
  #durationMs: number | undefined;
  #isEstimated = false;
  #startMs = 0;
  #sound: Omit<SoundInfo, 'durationMs'> | undefined;
  /** There are other streams beside the sound, of which the container's length may be. */
  #hasOthers = false;

  /** @param container the format's name for people, such as `MP4` */
  constructor(container: string) {
    this.#container = container;
  }

  /** What it said of the input's first audio stream; absent when it was never opened. */
  get info(): SoundInfo | undefined {
    return (
      this.#sound && {
        ...this.#sound,
        durationMs: this.#hasOthers || this.#isEstimated ? undefined : this.#durationMs,
      }
    );
  }

  /** The least that there has to be of the sound, in ms, where its length is known: it may begin late. */
  get expectedMs(): number {
    return (this.info?.durationMs ?? 0) - Math.max(0, this.#startMs);
  }

  /** @param text one line, without its end */
  line(text: string): void {
    const match = LINE.exec(text);
    if (!match) return;
    const [, level, said] = match as unknown as [string, string, string];
    // Of a stream without a head ffmpeg only guesses how long it is.
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
      // A cover is no video.
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

/** `stereo`, `5.1(side)`, `3 channels`. */
function channelCount(layout: string): number {
  const named = LAYOUTS[layout.replace(/\(.*/, '').trim()];
  if (named) return named;
  const [whole = '1', low = '0'] = /^(\d+)(?:\.(\d+))?/.exec(layout)?.slice(1) ?? [];
  return Math.max(1, Number(whole) + Number(low));
}
