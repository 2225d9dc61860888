import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ERRORS } from '../../src/base/errors.js';
import { consoleModule } from '../support/console-module.js';
import { inProject } from '../support/paths.js';

interface Outline {
  readonly endMs: number;
  add(fromMs: number, stepMs: number, peaks: number[]): void;
  loudest(fromMs: number, toMs: number): number;
}
interface Ring<T> extends Iterable<T> {
  readonly length: number;
  push(item: T): void;
  at(index: number): T | undefined;
}
interface Model {
  readonly agents: Map<string, { state: string; speeches: { id: string; state: string }[] }>;
  apply(event: object, nowMs: number): void;
  arrange(json: object): void;
}

const { WORDS } = await consoleModule<{ WORDS: Record<'en' | 'ja', Record<string, string>> }>('words.js');
const { PROBLEMS } = await consoleModule<{
  PROBLEMS: Record<string, Record<string, [string, string]>>;
}>('problems.js');
const { Outline } = await consoleModule<{ Outline: new () => Outline }>('outline.js');
const { Ring } = await consoleModule<{ Ring: new <T>(capacity: number) => Ring<T> }>('ring.js');
const { Model } = await consoleModule<{ Model: new () => Model }>('model.js');
const { EventParser } = await consoleModule<{
  EventParser: new () => { push(text: string): { id?: string; data: string }[] };
}>('events.js');

describe('the words of the console', () => {
  const shared = Object.keys(WORDS.ja);

  it('are the same in every language', () => {
    expect(shared.sort()).toEqual(Object.keys(WORDS.en).sort());
  });

  it('have the same places for values, and none is empty', () => {
    const places = (phrase: string): string[] =>
      [...phrase.matchAll(/\{\w+\}/g)].map(([place]) => place).sort();
    for (const key of shared) {
      expect(WORDS.ja[key], key).not.toBe('');
      // A rule comes in English from the catalogue, a reason of danger too; all other values are in every language.
      expect(places(WORDS.ja[key]!), key).toEqual(places(WORDS.en[key]!));
    }
  });

  it('are all used, and nothing is said that has no words', () => {
    const text = readdirSync(inProject('src/console'))
      .filter((name) => /\.(js|html)$/.test(name) && name !== 'words.js')
      .map((name) => readFileSync(inProject(`src/console/${name}`), 'utf8'))
      .join('\n');
    // Put together of a prefix and what the service says: state_queued, logEnded_failed.
    const composed = [...text.matchAll(/`(\w+_)\$\{/g)].map(([, prefix]) => prefix!);
    const unused = Object.keys(WORDS.en)
      .filter((key) => !composed.some((prefix) => key.startsWith(prefix)))
      .filter((key) => !text.includes(`'${key}'`) && !text.includes(`"${key}"`));
    expect(unused).toEqual([]);
    const said = [...text.matchAll(/\bt\('(\w+)'|data-t[a-z-]*="(\w+)"/g)].map(([, a, b]) => a ?? b!);
    expect(said.length).toBeGreaterThan(60);
    expect(said.filter((key) => WORDS.en[key] === undefined)).toEqual([]);
  });
});

describe('the problems of the console', () => {
  /** Told by commands and at the start of the service, never to a page. */
  const elsewhere = [
    ...['CONFIG_INVALID', 'CUES_INVALID', 'FILE_UNWRITABLE', 'RECORDER_MISSING', 'RECORDER_FAILED'],
    ...['SAVE_FAILED', 'SERVICE_NOT_RUNNING', 'SERVICE_PROTOCOL', 'PORT_IN_USE', 'HOST_INVALID'],
    ...['LISTEN_DENIED', 'HOST_EXPOSED', 'TLS_INVALID', 'TLS_UNTRUSTED', 'TLS_MISMATCH'],
  ];

  it('are told in Japanese, every one that the service can answer, and none that there is not', () => {
    const told = Object.keys(PROBLEMS.ja!).sort();
    const codes = Object.keys(ERRORS).filter((code) => !elsewhere.includes(code));
    expect(told).toEqual([...codes, 'NO_ANSWER', 'STREAM_CLOSED', 'UNKNOWN'].sort());
    for (const [what, advice] of Object.values(PROBLEMS.ja!)) {
      for (const sentence of [what, advice]) expect(sentence).toMatch(/[ぁ-ん].*。$/u);
    }
  });
});

describe('the reading of events', () => {
  it('gives the same events however the text is cut', () => {
    const text =
      ': alive\n\nid: 7\nevent: message\ndata: {"a":1}\n\nevent: x\ndata: 1\ndata: 2\n\nid: 8\ndata: €\n\n';
    const whole = new EventParser().push(text);
    expect(whole).toEqual([
      { id: '7', data: '{"a":1}' },
      { id: undefined, data: '1\n2' },
      { id: '8', data: '€' },
    ]);
    fc.assert(
      fc.property(fc.array(fc.nat(text.length), { maxLength: 12 }), (cuts) => {
        const parser = new EventParser();
        const at = [0, ...cuts.sort((a, b) => a - b), text.length];
        const pieces = at.slice(1).map((end, i) => text.slice(at[i], end));
        expect(pieces.flatMap((piece) => parser.push(piece))).toEqual(whole);
      }),
    );
  });
});

describe('the outline of a sound', () => {
  it('knows the loudest of any stretch that it was told', () => {
    const outline = new Outline();
    outline.add(0, 20, [1, 5, 3]);
    outline.add(60, 20, [200]);
    expect(outline.endMs).toBe(80);
    expect(outline.loudest(0, 60)).toBe(5);
    expect(outline.loudest(40, 60)).toBe(3);
    expect(outline.loudest(0, 10_000)).toBe(200);
    expect(outline.loudest(5000, 6000)).toBe(0);
  });

  it('takes what it was not told for silence', () => {
    const outline = new Outline();
    outline.add(0, 20, [9]);
    outline.add(1000, 20, [7]);
    expect(outline.loudest(20, 1000)).toBe(0);
    expect(outline.loudest(0, 2000)).toBe(9);
  });

  it('keeps the last hour of a sound without an end, and nothing of the hour before', () => {
    const outline = new Outline();
    const hourMs = 3_600_000;
    outline.add(0, 20, [250]);
    outline.add(hourMs - 20, 20, [3]);
    outline.add(hourMs + 100, 20, [4]);
    expect(outline.endMs).toBe(hourMs + 120);
    expect(outline.loudest(0, hourMs)).toBe(3);
    expect(outline.loudest(hourMs, hourMs + 100)).toBe(0);
    expect(outline.loudest(hourMs, hourMs + 120)).toBe(4);
  });
});

describe('a ring', () => {
  it('holds the last so many, in order', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.array(fc.integer()), (capacity, items) => {
        const ring = new Ring<number>(capacity);
        items.forEach((item) => ring.push(item));
        expect([...ring]).toEqual(items.slice(-capacity));
        expect(ring.length).toBe(Math.min(items.length, capacity));
        if (items.length > 0) expect(ring.at(ring.length - 1)).toBe(items.at(-1));
      }),
    );
  });
});

describe('what the page knows', () => {
  it('takes only the order of an answer that comes after newer events', () => {
    const model = new Model();
    const tell = (event: object): void => model.apply({ agent: 'mei', ...event }, 0);
    tell({ type: 'connected', remote: '127.0.0.1:5' });
    for (const speech of ['s1', 's2', 's3', 's4']) tell({ type: 'accepted', speech, label: speech });
    tell({ type: 'state', speech: 's2', state: 'preparing' });
    const answer = {
      name: 'mei',
      state: 'connected',
      speeches: [{ id: 's1' }, { id: 's3', state: 'queued' }, { id: 's2', state: 'queued' }],
    };
    tell({ type: 'ready', model: '0' });
    tell({ type: 'ended', speech: 's1', how: 'completed' });
    model.arrange(answer);
    const { state, speeches } = model.agents.get('mei')!;
    expect(state).toBe('ready');
    expect(speeches.map((speech) => [speech.id, speech.state])).toEqual([
      ['s3', 'queued'],
      ['s2', 'preparing'],
      ['s4', 'queued'],
    ]);
    model.arrange({ name: 'forgotten', speeches: [] });
    expect([...model.agents.keys()]).toEqual(['mei']);
  });
});
