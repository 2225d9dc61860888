import { describe, expect, it } from 'vitest';
import { ByteBudget } from '../../src/base/byte-budget.js';
import { systemClock } from '../../src/base/clock.js';
import { BridgeError } from '../../src/base/errors.js';
import { Feed } from '../../src/speech/feed.js';
import { ActiveSpeech } from '../../src/speech/active-speech.js';
import { Speech, type SpeechOptions } from '../../src/speech/speech.js';
import { SpeechQueue } from '../../src/speech/queue.js';
import { HandSound, RigSink } from '../support/speech-rig.js';

const nobody = {
  stop: () => undefined,
  addCue: () => undefined,
  followed: () => undefined,
  position: () => {
    throw new Error('nobody asks');
  },
};

function make(label: string, options: SpeechOptions = {}): ActiveSpeech {
  const feed = new Feed(new HandSound(), {
    clock: systemClock,
    bufferMs: 1000,
    changed: () => undefined,
    warn: () => undefined,
  });
  return new ActiveSpeech(new Speech(nobody, label, { label }, options), feed, new ByteBudget(1e8));
}

/** SpeechQueue whose agent gets ready, or fails, when the test says so. */
function hall(): { queue: SpeechQueue; told: string[]; agent: PromiseWithResolvers } {
  const told: string[] = [];
  const agent = withResolvers();
  const sink = new RigSink(systemClock);
  sink.prepare = () => agent.promise;
  const queue = new SpeechQueue({
    sink,
    maxQueued: 10,
    listener: {
      ready: ({ speech }) => told.push(`${speech.label} is ready`),
      ended: ({ speech }, { how, error }) => told.push(`${speech.label} ${how}: ${error?.code}`),
      gap: () => undefined,
      advance: () => undefined,
    },
  });
  return { queue, told, agent };
}

interface PromiseWithResolvers {
  promise: Promise<void>;
  resolve(): void;
  reject(error: Error): void;
}

function withResolvers(): PromiseWithResolvers {
  let resolve!: () => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<void>((settle, fail) => {
    resolve = settle;
    reject = fail;
  });
  return { promise, resolve, reject };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('the turns of speeches that have not begun', () => {
  it('let the first prepare, and say when it may begin', async () => {
    const { queue, told, agent } = hall();
    const [first, second] = [make('first'), make('second')];
    queue.add(first);
    queue.add(second);
    queue.advance(false);
    expect(first.speech.state).toBe('preparing');
    expect([queue.preparing, ...queue.waiting]).toEqual([first, second]);
    agent.resolve();
    await settled();
    expect(told).toEqual(['first is ready']);
    expect([queue.preparing, ...queue.waiting]).toEqual([undefined, second]);
  });

  it('say that one could not prepare, and why', async () => {
    const { queue, told, agent } = hall();
    queue.add(make('first'));
    queue.advance(false);
    agent.reject(new BridgeError('AGENT_ABSENT', 'It did not come.'));
    await settled();
    expect(told).toEqual(['first failed: AGENT_ABSENT']);
    expect(queue.preparing).toBe(undefined);
  });

  it('are silent about one that was removed while it prepared', async () => {
    for (const end of ['resolve', 'reject'] as const) {
      const { queue, told, agent } = hall();
      const run = make('first');
      queue.add(run);
      queue.advance(false);
      queue.remove(run);
      agent[end](new Error('too late'));
      await settled();
      expect(told).toEqual([]);
    }
  });

  it('while another drains come only to one that joins it or has interrupted it', () => {
    const [patient, joins, immediate] = [make('a'), make('b', { join: true }), make('c')];
    immediate.immediate = true;
    for (const run of [patient, joins, immediate]) {
      const { queue } = hall();
      queue.add(run);
      queue.advance(true);
      expect(queue.preparing).toBe(run === patient ? undefined : run);
    }
  });

  it('take those that had to go back in front of the others, in their order', () => {
    const { queue } = hall();
    const [a, b, c] = [make('a'), make('b'), make('c', { priority: 9 })];
    queue.add(c);
    queue.putBack([a, b]);
    expect(queue.waiting).toEqual([a, b, c]);
  });

  it('know which one goes on in the same segment: the next, if it is to join and needs the same of the agent', () => {
    const before = make('before', { model: 'mei' });
    const cases: [SpeechOptions, boolean][] = [
      [{ join: true, model: 'mei' }, true],
      [{ model: 'mei' }, false],
      [{ join: true, model: 'gene' }, false],
      [{ join: true, model: 'mei', mode: 'stream' }, false],
      [{ join: true, model: 'mei', lips: 'commands' }, false],
    ];
    for (const [options, joins] of cases) {
      const { queue } = hall();
      const next = make('next', options);
      queue.add(next);
      queue.add(make('later', { join: true, model: 'mei' }));
      expect(queue.joiner(before)).toBe(joins ? next : undefined);
    }
  });
});
