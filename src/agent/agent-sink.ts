import type { Clock } from '../base/clock.js';
import { BridgeError } from '../base/errors.js';
import type { Logger } from '../base/logger.js';
import type { FrameSink, SegmentNeeds } from '../speech/sink.js';
import type { Link } from './link.js';
import type { AgentSettings } from './settings.js';
import { encodeCommand, encodeFrame, SEGMENT_END, type WireUnit } from './wire.js';

/** Maximum number of agents that an error message names. */
const MAX_NAMED = 8;

/** Options and callbacks of an agent's sink. */
export interface AgentSinkOptions {
  readonly agentName: string;
  readonly settings: AgentSettings;
  readonly logger: Logger;
  /** Called when the link is ready for a speech. */
  onPrepared(link: Link): void;
  /** Called when a command was sent. */
  onCommand(line: string): void;
}

/**
 * Destination of an agent's frames and commands: its current connection, or none while it is absent. The sink outlives
 * the connections; callers that need one wait here.
 */
export class AgentSink implements FrameSink {
  readonly #options: AgentSinkOptions;
  readonly #waiters: ConnectionWaiters<Link>;
  /** Totals sent over earlier connections. */
  #sentBefore = { frames: 0, samples: 0, commands: 0 };
  readonly #listeners = new Set<(text: string) => void>();
  #link: Link | undefined;
  #closed = false;

  constructor(options: AgentSinkOptions) {
    this.#options = options;
    this.#waiters = new ConnectionWaiters(options.agentName, options.settings.clock);
  }

  /** Current connection. */
  get link(): Link | undefined {
    return this.#link;
  }

  /** Number of callers that wait for a connection. */
  get waiting(): number {
    return this.#waiters.waiting;
  }

  /** Totals sent over all connections. */
  get sent(): Readonly<{ frames: number; samples: number; commands: number }> {
    const before = this.#sentBefore;
    const now = this.#link?.connection.acks.sent;
    if (!now) return before;
    return {
      frames: before.frames + now.frames,
      samples: before.samples + now.samples,
      commands: before.commands + now.commands,
    };
  }

  /** Continues over this connection. */
  attach(link: Link): void {
    this.#link = link;
    link.events.on('message', ({ text }) => {
      for (const listener of this.#listeners) listener(text);
    });
    this.#waiters.arrived(link);
  }

  /** Removes the lost connection. */
  detach(): void {
    this.#sentBefore = this.sent;
    this.#link = undefined;
  }

  /** Ends all waits: no further connection will come. */
  close(): void {
    this.#closed = true;
    this.#waiters.fail(this.#closedError());
  }

  /** @throws BridgeError COMMAND_INVALID or COMMAND_DANGEROUS */
  encode(line: string): WireUnit {
    const { allowDangerous, model } = this.#options.settings;
    return encodeCommand(line, { allowDangerous, boundModels: [model, this.#link?.model ?? model] });
  }

  /**
   * Sends a command.
   * @param waitMs maximum wait for an absent agent, in ms
   * @throws BridgeError AGENT_ABSENT, AGENT_STALLED or CLOSED; the signal's reason when aborted
   */
  async send(unit: WireUnit, waitMs: number, signal?: AbortSignal): Promise<void> {
    const link = this.#link ?? (await this.#wait(waitMs, signal));
    link.send(unit);
  }

  async prepare(needs: SegmentNeeds, signal: AbortSignal, waiting: (message: string) => void): Promise<void> {
    const { agentName, settings, onPrepared } = this.#options;
    for (;;) {
      let link = this.#link;
      if (!link) {
        waiting(absentMessage(agentName, settings.connectedAgents()));
        link = await this.#wait(settings.agentTimeoutMs, signal);
      }
      try {
        await link.prepare({ ...needs, model: needs.model ?? settings.model }, signal, waiting);
        if (link === this.#link) return onPrepared(link);
      } catch (error) {
        // The agent was lost while its model was awaited; the next agent of that name will do.
        if (!link.lost || signal.aborted) throw error;
      }
    }
  }

  frame(samples: Int16Array): void {
    this.#link?.send(encodeFrame(samples));
  }

  endSegment(): void {
    this.#link?.send(SEGMENT_END);
  }

  command(line: string): void {
    this.#issue(line, this.#options.settings.allowDangerous);
  }

  /** Sends a command of the bridge's own without the danger check. Without an agent it is left out. */
  issue(line: string): void {
    this.#issue(line, true);
  }

  #issue(line: string, allowDangerous: boolean): void {
    try {
      const unit = encodeCommand(line, { allowDangerous });
      if (!this.#link) return;
      this.#link.send(unit);
      this.#options.onCommand(line);
    } catch (error) {
      this.#options.logger.warn({ error: String(error) }, 'a command was not sent');
    }
  }

  onMessage(listener: (text: string) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  get readSamples(): number | undefined {
    return this.#link?.connection.acks.readSamples;
  }

  get sentSamples(): number {
    return this.#link?.connection.acks.sent.samples ?? 0;
  }

  get playsUntilMs(): number {
    return this.#link?.playsUntilMs ?? -Infinity;
  }

  get hearing(): 'confirmed' | 'assumed' {
    return this.#link?.hearing ?? 'assumed';
  }

  get stalled(): boolean {
    return this.#link?.stalled ?? false;
  }

  #wait(waitMs: number, signal: AbortSignal | undefined): Promise<Link> {
    if (this.#closed) return Promise.reject(this.#closedError());
    return this.#waiters.wait(waitMs, signal);
  }

  #closedError(): BridgeError {
    return new BridgeError('CLOSED', `Agent ${this.#options.agentName} is closed.`);
  }
}

function absentMessage(agentName: string, connected: readonly string[]): string {
  if (connected.length === 0) return `No avatar is connected; waiting for ${agentName}.`;
  const named = connected.slice(0, MAX_NAMED).join(', ');
  const more = connected.length > MAX_NAMED ? ` and ${connected.length - MAX_NAMED} more` : '';
  return `Agent ${agentName} is not connected; connected: ${named}${more}.`;
}

interface Waiter<T> {
  resolve(value: T): void;
  reject(error: Error): void;
}

/** Callers that wait for an agent to connect. */
class ConnectionWaiters<T> {
  readonly #name: string;
  readonly #clock: Clock;
  #waiters: Waiter<T>[] = [];

  constructor(name: string, clock: Clock) {
    this.#name = name;
    this.#clock = clock;
  }

  /** Number of waiting callers. */
  get waiting(): number {
    return this.#waiters.length;
  }

  /**
   * Settles when the agent connects.
   * @param waitMs maximum wait, in ms; 0 does not wait
   * @throws BridgeError AGENT_ABSENT when it did not connect in time; the signal's reason when aborted
   */
  wait(waitMs: number, signal?: AbortSignal): Promise<T> {
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    if (waitMs <= 0) {
      return Promise.reject(new BridgeError('AGENT_ABSENT', `Agent ${this.#name} is not connected.`));
    }
    return new Promise((resolve, reject) => {
      const forget = (): void => {
        timer.cancel();
        signal?.removeEventListener('abort', onAbort);
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
      };
      const waiter: Waiter<T> = {
        resolve: (value) => {
          forget();
          resolve(value);
        },
        reject: (error) => {
          forget();
          reject(error);
        },
      };
      const onAbort = (): void => waiter.reject(signal?.reason as Error);
      const timer = this.#clock.after(waitMs, () =>
        waiter.reject(
          new BridgeError('AGENT_ABSENT', `Agent ${this.#name} did not connect within ${waitMs} ms.`),
        ),
      );
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiters.push(waiter);
    });
  }

  /** Settles every wait with the value. */
  arrived(value: T): void {
    for (const waiter of [...this.#waiters]) waiter.resolve(value);
  }

  /** Rejects every wait. */
  fail(error: Error): void {
    for (const waiter of [...this.#waiters]) waiter.reject(error);
  }
}
