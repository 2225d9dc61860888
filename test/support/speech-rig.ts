import { ByteBudget } from '../../src/base/byte-budget.js';
import { beforeAll } from 'vitest';
import { createConverter } from '../../src/audio/convert.js';
import type { PcmBlock, Sound } from '../../src/audio/pcm.js';
import type { Clock } from '../../src/base/clock.js';
import { silentLogger } from '../../src/base/logger.js';
import { BridgeError } from '../../src/base/errors.js';
import { AdaptiveLead } from '../../src/speech/lead.js';
import { Player } from '../../src/speech/player.js';
import type { PlayerOptions } from '../../src/speech/player-context.js';
import type { FrameSink, SegmentNeeds } from '../../src/speech/sink.js';
import { TimerWheel } from '../../src/speech/timer-wheel.js';
import { FakeClock } from './fake-clock.js';

// The resampler is loaded once a process, in real time, of which a clock held in hand knows nothing.
beforeAll(async () => (await createConverter()).close());

/** Something that reached the rig's agent, with the time at which it did. */
export type RigEvent =
  | { readonly kind: 'frame'; readonly atMs: number; readonly samples: Int16Array }
  | { readonly kind: 'end'; readonly atMs: number }
  | { readonly kind: 'command'; readonly atMs: number; readonly line: string };

/**
 * An agent as a loudspeaker: it plays what it was sent in real time, without the bridge's schedule. What it held and
 * where it fell silent follow from the arrival times alone, so it can contradict the player.
 */
export class RigSink implements FrameSink {
  readonly events: RigEvent[] = [];
  stalled = false;
  hearing: FrameSink['hearing'] = 'confirmed';
  readSamples: number | undefined;
  sentSamples = 0;
  playsUntilMs = -Infinity;
  prepared: SegmentNeeds[] = [];
  prepare: FrameSink['prepare'] = async (needs) => void this.prepared.push(needs);
  readonly #clock: Pick<Clock, 'nowMs'>;
  readonly #listeners = new Set<(text: string) => void>();

  constructor(clock: Pick<Clock, 'nowMs'>) {
    this.#clock = clock;
  }

  frame(samples: Int16Array): void {
    this.events.push({ kind: 'frame', atMs: this.#clock.nowMs(), samples: samples.slice() });
    this.sentSamples += samples.length;
  }

  endSegment(): void {
    this.events.push({ kind: 'end', atMs: this.#clock.nowMs() });
  }

  command(line: string): void {
    this.events.push({ kind: 'command', atMs: this.#clock.nowMs(), line });
  }

  onMessage(listener: (text: string) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Says a message, as the agent does. */
  say(text: string): void {
    for (const listener of [...this.#listeners]) listener(text);
  }

  /** The lines of the commands that came, in order. */
  get lines(): string[] {
    return this.events.flatMap((event) => (event.kind === 'command' ? [event.line] : []));
  }

  get frames(): { atMs: number; samples: Int16Array }[] {
    return this.events.filter((event) => event.kind === 'frame');
  }

  /** All samples in the order in which they came. */
  get heard(): Int16Array {
    const frames = this.frames;
    const all = new Int16Array(frames.reduce((sum, { samples }) => sum + samples.length, 0));
    let at = 0;
    for (const { samples } of frames) {
      all.set(samples, at);
      at += samples.length;
    }
    return all;
  }

  /** Silences while frames were still to come, in ms, and the most that was ever held. */
  playback(): { gapsMs: number[]; maxHeldMs: number; startMs: number; endMs: number } {
    let endMs = this.playsUntilMs;
    let maxHeldMs = 0;
    const gapsMs: number[] = [];
    const frames = this.frames;
    for (const { atMs, samples } of frames) {
      if (atMs > endMs && endMs > -Infinity) gapsMs.push(atMs - endMs);
      endMs = Math.max(endMs, atMs) + samples.length / 16;
      maxHeldMs = Math.max(maxHeldMs, endMs - atMs);
    }
    return { gapsMs, maxHeldMs, startMs: frames[0]?.atMs ?? NaN, endMs };
  }

  /** Segments as sample counts; the last is open when there is no end behind it. */
  segments(): number[] {
    const counts: number[] = [];
    let open = 0;
    for (const event of this.events) {
      if (event.kind === 'frame') open += event.samples.length;
      if (event.kind === 'end') {
        counts.push(open);
        open = 0;
      }
    }
    return open > 0 ? [...counts, open] : counts;
  }
}

/** A sound that a test feeds by hand. */
export class HandSound implements Sound {
  readonly label = 'hand.wav';
  readonly live: boolean;
  readonly burstMs: number;
  closed = false;
  #queue: (PcmBlock | Error | undefined)[] = [];
  #wake: (() => void) | undefined;

  constructor(live = false, burstMs = 0) {
    this.live = live;
    this.burstMs = burstMs;
  }

  /** Gives the next samples, at 16 kHz mono. */
  push(samples: Int16Array, capturedAtMs?: number): void {
    const captured = capturedAtMs === undefined ? undefined : { capturedAtMs };
    this.#add({ samples, sampleRateHz: 16_000, channels: 1, ...captured });
  }

  end(): void {
    this.#add(undefined);
  }

  fail(error: Error): void {
    this.#add(error);
  }

  async *open({ signal }: { signal: AbortSignal }): AsyncGenerator<PcmBlock> {
    signal.addEventListener('abort', () => this.#wake?.());
    try {
      while (!signal.aborted) {
        if (this.#queue.length === 0) {
          await new Promise<void>((resolve) => (this.#wake = resolve));
          continue;
        }
        const next = this.#queue.shift();
        if (next === undefined) return;
        if (next instanceof Error) throw next;
        yield next;
      }
    } finally {
      this.closed = true;
    }
  }

  #add(item: PcmBlock | Error | undefined): void {
    this.#queue.push(item);
    this.#wake?.();
  }
}

/** Samples that are all different from their neighbours and never zero: a lost or doubled one shows. */
export function ramp(count: number, from = 1): Int16Array {
  return Int16Array.from({ length: count }, (_, i) => ((from + i - 1) % 30_000) + 1);
}

/** A whole sound, in blocks of `blockSamples`. */
export function sound(
  samples: Int16Array,
  options: { label?: string; blockSamples?: number; onOpen?: () => void } = {},
): Sound {
  const { label = 'ramp.wav', blockSamples = 4000, onOpen } = options;
  return {
    label,
    live: false,
    async *open({ signal, info }): AsyncGenerator<PcmBlock> {
      onOpen?.();
      info({ format: 'test', sampleRateHz: 16_000, channels: 1, durationMs: samples.length / 16 });
      for (let at = 0; at < samples.length && !signal.aborted; at += blockSamples) {
        yield { samples: samples.subarray(at, at + blockSamples), sampleRateHz: 16_000, channels: 1 };
      }
    },
  };
}

/** A player on a clock held in hand, speaking to a loudspeaker that keeps its own books. */
export function rig(options: Partial<PlayerOptions> = {}): {
  clock: FakeClock;
  sink: RigSink;
  wheel: TimerWheel;
  player: Player;
} {
  const clock = new FakeClock();
  const sink = new RigSink(clock);
  const wheel = new TimerWheel(clock);
  let id = 0;
  const player = new Player({
    agentName: 'default',
    budget: new ByteBudget(1e8),
    sink,
    wheel,
    clock,
    logger: silentLogger,
    frameMs: 40,
    lead: 120,
    autoLead: new AdaptiveLead(),
    maxQueued: 3,
    bufferMs: 2000,
    stallTimeoutMs: 30_000,
    checkCommand: (line) => {
      if (line.startsWith('SND')) throw new BridgeError('COMMAND_INVALID', 'starts with SND');
    },
    nextId: () => `s${(id += 1)}`,
    ...options,
  });
  return { clock, sink, wheel, player };
}
