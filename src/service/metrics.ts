import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Agent } from '../agent/agent.js';
import { SAMPLE_RATE_HZ } from '../base/units.js';
import { VERSION } from '../base/version.js';
import type { BridgeHandle } from '../bridge.js';
import { AgentMeters, type AgentTotals } from './agent-meters.js';
import type { EventHub } from './event-hub.js';
import type { Slots } from './limits.js';

/** Sampling interval of the event loop's delay, in ms. */
const LOOP_SAMPLE_MS = 10;
/** Bytes of a frame's head: `SND` and four digits (protocol.md §4). */
const FRAME_HEAD_BYTES = 7;
const BYTES_PER_SAMPLE = 2;

/** Bucket limits, in seconds, around the lead, which lateness consumes. */
const LATENESS_BUCKETS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.12, 0.2, 0.5, 1];
const LATENCY_BUCKETS = [0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10, 30, 60];

/** Sources of the metrics. */
export interface MetricSources {
  readonly bridge: BridgeHandle;
  readonly hub: EventHub;
  readonly uploads: Slots;
  readonly streams: Slots;
  readonly followers: Slots;
}

/** One value with its labels. */
type Value = readonly [labels: Readonly<Record<string, string>>, value: number];

/**
 * Metrics for Prometheus (text format 0.0.4), in one registry for each service. Nothing is counted while frames are sent;
 * states and counts are read at a scrape. Times are in seconds, as usual for Prometheus.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #meters: AgentMeters;
  readonly #loop = monitorEventLoopDelay({ resolution: LOOP_SAMPLE_MS });
  readonly #bridge: BridgeHandle;
  readonly #answers: Counter<'method' | 'route' | 'status'>;

  /** @param maxNames maximum number of agents with their own metrics */
  constructor(sources: MetricSources, maxNames: number) {
    const { bridge } = sources;
    this.#bridge = bridge;
    const waited = this.#histogram(
      'mmdagent_bridge_speech_wait_seconds',
      'From the request for a speech to its turn.',
    );
    const sounded = this.#histogram(
      'mmdagent_bridge_first_sound_seconds',
      'From the turn of a speech to its first sound, as heard.',
    );
    this.#meters = new AgentMeters(
      bridge,
      { waited: (ms) => waited.observe(ms / 1000), sounded: (ms) => sounded.observe(ms / 1000) },
      maxNames,
    );
    // One value per wake-up for all agents, at most 200 a second; a frame is as late as its wake-up.
    const lateness = this.#histogram(
      'mmdagent_bridge_wakeup_lateness_seconds',
      'How late the process woke up to send what was due. Past the lead there is a gap.',
      LATENESS_BUCKETS,
    );
    bridge.wheel.observeLateness((ms) => lateness.observe(ms / 1000));
    this.#loop.enable();
    this.#answers = new Counter({
      name: 'mmdagent_bridge_http_responses_total',
      help: 'Answers of the API, by route.',
      labelNames: ['method', 'route', 'status'],
      registers: [this.#registry],
    });
    this.#addCounts();
    this.#addStates();
    this.#addService(sources);
    this.#addProcess();
  }

  /** Media type of `text()`. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Returns all metrics as text. */
  async text(): Promise<string> {
    const parts: string[] = [];
    for (const { name } of this.#registry.getMetricsAsArray()) {
      parts.push(await this.#registry.getSingleMetricAsString(name));
      // Formatting thousands of lines takes time; let due frames be sent in between.
      await setImmediate();
    }
    this.#loop.reset();
    return `${parts.join('\n\n')}\n`;
  }

  /** Counts live sound that was dropped before the player. */
  dropped(agent: string, ms: number): void {
    this.#meters.dropped(agent, ms);
  }

  /** Counts an answered request. @param route as declared: text written by callers must not create metrics */
  answered(method: string, route: string | undefined, status: number): void {
    this.#answers.inc({
      method: route === undefined ? '' : method,
      route: route ?? '(none)',
      status: String(status),
    });
  }

  /** Stops measuring. */
  close(): void {
    this.#bridge.wheel.observeLateness(undefined);
    this.#loop.disable();
    this.#registry.clear();
  }

  #addCounts(): void {
    const counts = (name: string, help: string, of: (totals: AgentTotals) => number): void =>
      this.#counter(`mmdagent_bridge_${name}_total`, help, ['agent'], () =>
        [...this.#meters.totals()].map(([agent, totals]): Value => [{ agent }, of(totals)]),
      );
    const countsBy = <Key extends string>(
      label: string,
      name: string,
      help: string,
      of: (totals: AgentTotals) => Record<Key, number>,
    ): void =>
      this.#counter(`mmdagent_bridge_${name}_total`, help, ['agent', label], () =>
        [...this.#meters.totals()].flatMap(([agent, totals]) =>
          Object.entries<number>(of(totals)).map(([key, value]): Value => [{ agent, [label]: key }, value]),
        ),
      );
    counts('frames', 'Frames of sound sent.', ({ frames }) => frames);
    counts(
      'audio_bytes',
      'Bytes of sound sent, each frame with its head.',
      ({ frames, samples }) => frames * FRAME_HEAD_BYTES + samples * BYTES_PER_SAMPLE,
    );
    counts('audio_seconds', 'Length of the sound sent.', ({ samples }) => samples / SAMPLE_RATE_HZ);
    counts('commands', 'Text commands sent, cues among them.', ({ commands }) => commands);
    counts('messages', 'Messages of the avatar.', ({ messages }) => messages);
    counts('connections', 'Connections taken on.', ({ connections }) => connections);
    counts('losses', 'Connections lost.', ({ losses }) => losses);
    counts(
      'unanswered',
      'Connections taken over from another process from which nothing came within 2 s.',
      ({ unanswered }) => unanswered,
    );
    countsBy('how', 'speeches', 'Speeches by how they ended.', ({ speeches }) => speeches);
    countsBy(
      'cause',
      'gaps',
      'Silences that were not in the sound: underruns of the avatar.',
      ({ gaps }) => gaps,
    );
    countsBy('cause', 'gap_seconds', 'Length of those silences.', ({ gapMs }) => ({
      source: gapMs.source / 1000,
      stall: gapMs.stall / 1000,
      agent: gapMs.agent / 1000,
    }));
    this.#counter(
      'mmdagent_bridge_dropped_live_seconds_total',
      'Live sound dropped because it came faster than it could be played.',
      ['agent'],
      () => {
        const dropping = this.#meters.droppingMs();
        const labels = new Set([...this.#meters.totals().keys(), ...dropping.keys()]);
        return [...labels].map((agent): Value => {
          const ended = this.#meters.totals().get(agent)?.droppedMs ?? 0;
          return [{ agent }, (ended + (dropping.get(agent) ?? 0)) / 1000];
        });
      },
    );
  }

  #addStates(): void {
    const state = (name: string, help: string, of: (agent: Agent) => number | undefined): void =>
      this.#gauge(`mmdagent_bridge_${name}`, help, ['agent'], () =>
        this.#meters.named().flatMap((agent): Value[] => {
          const value = of(agent);
          return value === undefined ? [] : [[{ agent: agent.name }, value]];
        }),
      );
    state('ready', '1 when its model is loaded and can speak.', (agent) => Number(agent.state === 'ready'));
    state('stalled', '1 while it is known to have stopped reading.', (agent) => Number(agent.stalled));
    state(
      'relayed_programs',
      'Programs that take the bridge for it.',
      (agent) => agent.snapshot().relayed.length,
    );
    state('held_seconds', 'What it holds unplayed.', ({ player }) => player.heldMs / 1000);
    state('lead_seconds', 'What it is to hold unplayed.', ({ player }) => player.leadMs / 1000);
    state(
      'speeches_waiting',
      'Speeches in its queue whose turn has not come.',
      ({ speeches }) => speeches.filter((speech) => speech.state === 'queued').length,
    );
    state('speaking', '1 while it speaks.', ({ speeches }) =>
      Number(speeches.some((speech) => speech.state === 'speaking' || speech.state === 'draining')),
    );
    this.#gauge(
      'mmdagent_bridge_mark_round_trip_seconds',
      'From a frame to the proof that the avatar has read it: median and longest of the last 64 marks.',
      ['agent', 'quantile'],
      () =>
        this.#meters.named().flatMap(({ name: agent, roundTrip }): Value[] =>
          roundTrip
            ? [
                [{ agent, quantile: '0.5' }, roundTrip.medianMs / 1000],
                [{ agent, quantile: '1' }, roundTrip.maxMs / 1000],
              ]
            : [],
        ),
    );
  }

  #addService({ bridge, hub, uploads, streams, followers }: MetricSources): void {
    this.#gauge('mmdagent_bridge_info', 'The version that runs.', ['version'], () => [
      [{ version: VERSION }, 1],
    ]);
    this.#gauge('mmdagent_bridge_agents', 'Agents that are known, by state.', ['state'], () => {
      const count = { absent: 0, connected: 0, ready: 0 };
      for (const { state } of bridge.agents()) count[state] += 1;
      return Object.entries(count).map(([state, value]): Value => [{ state }, value]);
    });
    this.#gauge('mmdagent_bridge_clients', 'What clients hold open, by kind.', ['kind'], () => [
      [{ kind: 'upload' }, uploads.taken],
      [{ kind: 'stream' }, streams.taken],
      [{ kind: 'follower' }, followers.taken],
    ]);
    this.#counter(
      'mmdagent_bridge_followers_dropped_total',
      'Followers of events dropped because they did not read.',
      [],
      () => [[{}, hub.dropped]],
    );
  }

  /** Adds process metrics under the names that Prometheus’ own clients use. */
  #addProcess(): void {
    const loop = this.#loop;
    for (const [name, of] of [
      ['p50', () => loop.percentile(50)],
      ['p99', () => loop.percentile(99)],
      ['max', () => loop.max],
    ] as const) {
      this.#gauge(
        `nodejs_eventloop_lag_${name}_seconds`,
        'How long the event loop was held up, since the scrape before.',
        [],
        // The histogram measures the time from one sample to the next.
        () => [[{}, loop.count === 0 ? 0 : Math.max(0, of() / 1e9 - LOOP_SAMPLE_MS / 1000)]],
      );
    }
    this.#counter('process_cpu_seconds_total', 'CPU time, user and system.', [], () => {
      const { user, system } = process.cpuUsage();
      return [[{}, (user + system) / 1e6]];
    });
    this.#gauge('process_resident_memory_bytes', 'Memory of the process.', [], () => [
      [{}, process.memoryUsage.rss()],
    ]);
    this.#gauge('process_start_time_seconds', 'When the process began, since 1970.', [], () => [
      [{}, Math.round(Date.now() / 1000 - process.uptime())],
    ]);
  }

  #histogram(name: string, help: string, buckets = LATENCY_BUCKETS): Histogram {
    return new Histogram({ name, help, buckets, registers: [this.#registry] });
  }

  #counter(name: string, help: string, labelNames: string[], read: () => readonly Value[]): void {
    new Counter({
      name,
      help,
      labelNames,
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [labels, value] of read()) this.inc(labels, value);
      },
    });
  }

  #gauge(name: string, help: string, labelNames: string[], read: () => readonly Value[]): void {
    new Gauge({
      name,
      help,
      labelNames,
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [labels, value] of read()) this.set(labels, value);
      },
    });
  }
}
