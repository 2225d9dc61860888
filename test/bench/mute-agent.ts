import { Agent } from '../../src/agent/agent.js';
import type { Connection, ConnectionEvents } from '../../src/agent/connection.js';
import { createConverter } from '../../src/audio/convert.js';
import type { Clock } from '../../src/base/clock.js';
import { Emitter } from '../../src/base/emitter.js';
import { silentLogger } from '../../src/base/logger.js';
import { openSound } from '../../src/source/open.js';
import { TimerWheel } from '../../src/speech/timer-wheel.js';

/** An agent without a socket: what would leave is told, and every mark comes back at once. */
export interface MuteAgent {
  readonly agent: Agent;
  onUnit: (unit: Uint8Array) => void;
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
    maxQueued: 100,
    bufferMs: 2000,
    allowDangerous: false,
    nextSpeechId: () => `s${(speeches += 1)}`,
  });
  const mute: MuteAgent = { agent, onUnit: () => undefined };
  const events = new Emitter<ConnectionEvents>();
  const connection: Connection = {
    remote: 'nowhere',
    openedAtMs: clock.nowMs(),
    events,
    canMark: true,
    unsentBytes: 0,
    send: (unit, mark) => {
      mute.onUnit(unit);
      if (mark) queueMicrotask(() => events.emit('mark', mark));
    },
    destroy: () => undefined,
  };
  agent.attach(connection, { model: '0', mode: 'file' });
  return mute;
}
