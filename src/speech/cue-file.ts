import { z } from 'zod';
import { BridgeError } from '../base/errors.js';
import type { Cue } from './cues.js';

/** Maximum number of cues in a file; more is taken for a mistake. */
const MAX_CUES = 10_000;

/** Schema of a cue in JSON. */
export const cueSchema = z.strictObject({
  atMs: z.number(),
  send: z.string().min(1),
  always: z.boolean().optional(),
});

const cuesSchema = z.array(cueSchema).max(MAX_CUES);

/**
 * Parses the cues of a file that accompanies a sound. The format is recognised by its first bytes: JSON,
 * `[{"atMs":1200,"send":"MOTION_ADD|0|nod|nod.vmd"}]`, or WebVTT, where each line of a cue's text is a
 * command, sent at the cue's start.
 * @param text the whole file
 * @param name name of the file in messages
 * @throws BridgeError CUES_INVALID that names the position
 */
export function parseCueFile(text: string, name: string): Cue[] {
  const body = text.replace(/^\uFEFF/, '');
  return /^WEBVTT(\s|$)/.test(body) ? parseWebVtt(body, name) : parseJson(body, name);
}

function parseJson(text: string, name: string): Cue[] {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new BridgeError('CUES_INVALID', `${name} is neither JSON nor WebVTT: ${(error as Error).message}.`);
  }
  const result = cuesSchema.safeParse(json);
  if (!result.success) {
    const [issue] = result.error.issues;
    const place = issue!.path.length > 0 ? `at ${issue!.path.join('.')}` : 'at its top';
    throw new BridgeError('CUES_INVALID', `${name} is wrong ${place}: ${issue!.message}.`);
  }
  return result.data;
}

/** WebVTT time, `hours:minutes:seconds.milliseconds` with optional hours (WebVTT §3.3). */
const TIME = String.raw`(?:(\d{2,}):)?([0-5]\d):([0-5]\d)\.(\d{3})`;
const TIMING = new RegExp(String.raw`^${TIME}\s+-->\s+${TIME}`);

/** Reads the starts and texts of a WebVTT file. Styles, regions, notes and cue settings are ignored. */
function parseWebVtt(text: string, name: string): Cue[] {
  const cues: Cue[] = [];
  const blocks = text
    .replaceAll('\r\n', '\n')
    .replaceAll('\r', '\n')
    .split(/\n{2,}/);
  for (const block of blocks.slice(1)) {
    const lines = block.split('\n').filter((line) => line.trim() !== '');
    if (lines.length === 0 || /^(NOTE|STYLE|REGION)(\s|$)/.test(lines[0]!)) continue;
    const timing = lines.findIndex((line) => line.includes('-->'));
    const match = timing < 0 ? null : TIMING.exec(lines[timing]!.trim());
    if (!match)
      throw new BridgeError('CUES_INVALID', `${name} has a cue without a time: ${lines[0]!.slice(0, 80)}.`);
    const [, hours = '0', minutes, seconds, ms] = match;
    const atMs = ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000 + Number(ms);
    for (const send of lines.slice(timing + 1)) cues.push({ atMs, send: send.trim() });
  }
  if (cues.length > MAX_CUES) {
    throw new BridgeError(
      'CUES_INVALID',
      `${name} holds ${cues.length} cues; at most ${MAX_CUES} are taken.`,
    );
  }
  return cues;
}
