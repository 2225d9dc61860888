import { describe, expect, it } from 'vitest';
import { BridgeError } from '../../src/base/errors.js';
import { Feed } from '../../src/speech/feed.js';
import { ActiveSpeech } from '../../src/speech/active-speech.js';
import { Speech, type SpeechOptions } from '../../src/speech/speech.js';
import { Turns } from '../../src/speech/turns.js';
import { HandSound } from '../support/speech-rig.js';

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
    maxBufferedMs: () => 1000,
    onChange: () => undefined,
    onWarning: () => undefined,
  });
  return new ActiveSpeech(new Speech(nobody, label, label, options), feed);
}

/** Turns whose agent gets ready, or fails, when the test says so. */
function hall(): { turns: Turns; told: string[]; agent: PromiseWithResolvers } {
  const told: string[] = [];
  const agent = withResolvers();
  const turns = new Turns({
    sink: { prepare: () => agent.promise },
    maxQueued: 10,
    onReady: (run) => told.push(`${run.speech.label} is ready`),
    onFailed: (run, error) => told.push(`${run.speech.label} failed: ${error.code}`),
  });
  return { turns, told, agent };
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
    const { turns, told, agent } = hall();
    const [first, second] = [make('first'), make('second')];
    turns.add(first);
    turns.add(second);
    turns.advance(false);
    expect(first.speech.state).toBe('preparing');
    expect([turns.preparing, ...turns.waiting]).toEqual([first, second]);
    agent.resolve();
    await settled();
    expect(told).toEqual(['first is ready']);
    expect([turns.preparing, ...turns.waiting]).toEqual([undefined, second]);
  });

  it('say that one could not prepare, and why', async () => {
    const { turns, told, agent } = hall();
    turns.add(make('first'));
    turns.advance(false);
    agent.reject(new BridgeError('AGENT_ABSENT', 'It did not come.'));
    await settled();
    expect(told).toEqual(['first failed: AGENT_ABSENT']);
    expect(turns.preparing).toBe(undefined);
  });

  it('are silent about one that was removed while it prepared', async () => {
    for (const end of ['resolve', 'reject'] as const) {
      const { turns, told, agent } = hall();
      const run = make('first');
      turns.add(run);
      turns.advance(false);
      turns.remove(run);
      agent[end](new Error('too late'));
      await settled();
      expect(told).toEqual([]);
    }
  });

  it('while another drains come only to one that joins it or has interrupted it', () => {
    const [patient, joins, immediate] = [make('a'), make('b', { join: true }), make('c')];
    immediate.immediate = true;
    for (const run of [patient, joins, immediate]) {
      const { turns } = hall();
      turns.add(run);
      turns.advance(true);
      expect(turns.preparing).toBe(run === patient ? undefined : run);
    }
  });

  it('take those that had to go back in front of the others, in their order', () => {
    const { turns } = hall();
    const [a, b, c] = [make('a'), make('b'), make('c', { priority: 9 })];
    turns.add(c);
    turns.putBack([a, b]);
    expect(turns.waiting).toEqual([a, b, c]);
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
      const { turns } = hall();
      const next = make('next', options);
      turns.add(next);
      turns.add(make('later', { join: true, model: 'mei' }));
      expect(turns.joiner(before)).toBe(joins ? next : undefined);
    }
  });
});
