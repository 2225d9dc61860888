import { now, sleep } from './now.js';

/** A stretch of time that is measured while frames leave. */
export interface Window {
  readonly ms: number;
  /** True: the lateness of each frame is written down, which costs a little by itself. */
  readonly lateness: boolean;
}

/** What a speaking process did in a window. */
export interface WindowReport {
  /** CPU time per frame, user and system, in µs, of each slice of the window. */
  readonly cpuPerFrameUs: readonly number[];
  /** How late each frame was handed to the system, in ms. */
  readonly latenessMs: readonly number[];
}

const SLICE_MS = 250;

/**
 * Watches this process for a window.
 * @param frames tells how many frames have left since any fixed moment
 * @param latenessMs filled meanwhile, if at all
 */
export async function watchWindow(
  { ms }: Window,
  frames: () => number,
  latenessMs: readonly number[],
): Promise<WindowReport> {
  const cpuPerFrameUs: number[] = [];
  const untilMs = now() + ms;
  while (now() < untilMs) {
    const before = frames();
    const cpu = process.cpuUsage();
    await sleep(Math.min(ms, SLICE_MS));
    const { user, system } = process.cpuUsage(cpu);
    cpuPerFrameUs.push((user + system) / (frames() - before));
  }
  return { cpuPerFrameUs, latenessMs };
}

export const FRAME_MS = 40;
export const LEAD_MS = 120;

/** A minute of noise: no sample repeats, so nothing is gained by luck. */
export function speechLikeNoise(seconds: number): Int16Array {
  let state = 1;
  return Int16Array.from({ length: seconds * 16_000 }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) | 0;
    return state >> 18;
  });
}
