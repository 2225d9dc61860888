import type { PhonemeTiming } from '../tts/engine.js';

/** The phonemes that the avatar knows (protocol.md §7). */
const KNOWN = new Set(
  (
    'A E I N O U a b by ch cl d dy e f g gy h hy i j k ky m my n ny o p pau py r ry s sh sil t ts ty u v w y z ' +
    'aa ae ah ao aw ax axr ay dh eh er ey hh ih iy jh l ng ow oy sp th uh uw zh'
  ).split(' '),
);

/** Replacements for unknown names; the avatar would show an unknown name as a small open mouth. */
const REPLACED: Readonly<Record<string, string>> = {
  ...{ kw: 'w', gw: 'w', fy: 'f', vy: 'v', ti: 't', di: 'd', th: 'th', q: 'cl', Q: 'cl', nn: 'N' },
  ...{
    '': 'sil',
    '#': 'sil',
    _: 'pau',
    '?': 'pau',
    '^': 'sil',
    $: 'sil',
    SIL: 'sil',
    SP: 'sp',
    silB: 'sil',
    silE: 'sil',
  },
};

/** Maximum line length, in bytes. The avatar's limit is 2,048; longer lines crash it (protocol.md §2). */
const MAX_LINE_BYTES = 1990;
/** Maximum duration of a line, in ms. The avatar's lip clock drifts up to 5 ms a second; each line restarts it. */
const MAX_LINE_MS = 4000;
/** Duration of the closed mouth at a line's end, in ms, in case the next line comes late. */
const CLOSING_MS = 100;

/** A command that moves the lips for a while. */
export interface LipLine {
  /** Start, in ms from the start of the utterance. */
  readonly atMs: number;
  /** `LIPSYNC_START|alias|phoneme,ms,…,pau,100`, without a newline. */
  readonly command: string;
}

/** Returns the avatar's name of a phoneme. */
export function lipPhoneme(phoneme: string): string {
  if (KNOWN.has(phoneme)) return phoneme;
  const replaced = REPLACED[phoneme] ?? REPLACED[phoneme.toLowerCase()];
  if (replaced !== undefined) return replaced;
  const lower = phoneme.toLowerCase().replace(/\d+$/, '');
  if (KNOWN.has(lower)) return lower;
  const first = lower.charAt(0);
  return KNOWN.has(first) ? first : 'sil';
}

/**
 * Returns the commands that move an avatar's lips by an engine's own timing. A long utterance is a chain of lines: each
 * replaces the one before at once, so it is sent when its first phoneme is heard (protocol.md §7). Lines are cut at the
 * end of a mora or syllable. Times are whole milliseconds rounded over the whole utterance, so rounding errors do not add
 * up.
 * @param alias model name, without `|`, comma or line end
 */
export function lipSyncLines(alias: string, phonemes: readonly PhonemeTiming[]): LipLine[] {
  const lines: LipLine[] = [];
  const head = `LIPSYNC_START|${alias}|`;
  const room = MAX_LINE_BYTES - Buffer.byteLength(head) - `,pau,${CLOSING_MS}`.length;
  let items: string[] = [];
  let bytes = 0;
  let lineAtMs = 0;
  let exactMs = 0;
  let atMs = 0;
  const close = (): void => {
    if (items.length > 0)
      lines.push({ atMs: lineAtMs, command: `${head}${items.join(',')},pau,${CLOSING_MS}` });
    items = [];
    bytes = 0;
    lineAtMs = atMs;
  };
  for (const mora of morasOf(phonemes)) {
    const parts: string[] = [];
    const moraAtMs = atMs;
    for (const { phoneme, durationMs } of mora) {
      exactMs += durationMs;
      const ms = Math.round(exactMs) - atMs;
      if (ms <= 0) continue;
      atMs += ms;
      parts.push(`${lipPhoneme(phoneme)},${ms}`);
    }
    const size = parts.reduce((sum, part) => sum + part.length + 1, 0);
    if (items.length > 0 && (bytes + size > room || atMs - lineAtMs > MAX_LINE_MS)) {
      const endMs = atMs;
      atMs = moraAtMs;
      close();
      atMs = endMs;
    }
    items.push(...parts);
    bytes += size;
  }
  close();
  return lines;
}

/** Groups phonemes that must stay together; a group without an end is cut before it becomes too long. */
function* morasOf(phonemes: readonly PhonemeTiming[]): Generator<PhonemeTiming[]> {
  let mora: PhonemeTiming[] = [];
  for (const phoneme of phonemes) {
    mora.push(phoneme);
    if (!phoneme.last && mora.length < 16) continue;
    yield mora;
    mora = [];
  }
  if (mora.length > 0) yield mora;
}
