import { ByteBudget } from '../../src/base/byte-budget.js';
import { Agent } from '../../src/agent/agent.js';
import type { Connection, ConnectionEvents } from '../../src/agent/connection.js';
import { createConverter } from '../../src/audio/convert.js';
import type { Clock } from '../../src/base/clock.js';
import { Emitter } from '../../src/base/emitter.js';
import { silentLogger } from '../../src/base/logger.js';
import { openSound } from '../../src/source/open.js';
import type { WireUnit } from '../../src/agent/wire.js';
import { TimerWheel } from '../../src/speech/timer-wheel.js';
import { AckWindow } from '../../src/transport/ack-window.js';

/** An agent without a socket: what would leave is told, and every mark comes back at once. */
export interface MuteAgent {
  readonly agent: Agent;
  onUnit: (unit: WireUnit) => void;
}

/** Makes one that is ready to speak. */
export async function muteAgent(clock: Clock, options: { leadMs: number }): Promise<MuteAgent> {
  (await createConverter()).close();
  let speeches = 0;
  const agent = new Agent('mute', {
    clock,
    wheel: new TimerWheel(clock),
    logger: silentLogger,
    openSound,
    narrator: {
      prepare: () => {
        throw new Error('this agent is given no text');
      },
    },
    model: '0',
    frameMs: 40,
    leadMs: options.leadMs,
    agentTimeoutMs: 10_000,
    readyTimeoutMs: 10_000,
    firstSoundMs: 0,
    maxQueued: 100,
    bufferMs: 2000,
    allowDangerous: false,
    budget: new ByteBudget(1e8),
    connectedAgents: () => [],
    nextSpeechId: () => `s${(speeches += 1)}`,
  });
  const mute: MuteAgent = { agent, onUnit: () => undefined };
  const events = new Emitter<ConnectionEvents>();
  const acks = new AckWindow();
  const connection: Connection = {
    remote: 'nowhere',
    transport: 'websocket',
    openedAtMs: clock.nowMs(),
    events,
    acks,
    unsentBytes: 0,
    send: (unit) => {
      acks.admit(unit);
      const mark = acks.wrote(unit, clock.nowMs());
      mute.onUnit(unit);
      if (mark === undefined) return;
      queueMicrotask(() => {
        acks.answered(mark, clock.nowMs(), () => undefined);
        events.emit('acknowledged', undefined);
      });
    },
    destroy: () => undefined,
  };
  agent.attach(connection, { model: '0', mode: 'file' });
  return mute;
}
