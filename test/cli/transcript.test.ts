import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Transcript } from '../../src/cli/transcript.js';

const folder = mkdtempSync(join(tmpdir(), 'transcript-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const startedAt = new Date('2026-11-28T10:00:00.000Z');
const event = (fields: object, atMs = 0, speech = 's1') => ({
  type: 'sentence',
  time: new Date(startedAt.getTime() + atMs).toISOString(),
  ...{
    agent: 'default',
    speech,
    index: 0,
    text: 'Hello & <goodbye>',
    startMs: 0,
    endMs: null,
    state: 'begun',
  },
  ...fields,
});

function written(name: string, events: object[], from?: Date): string {
  const path = join(folder, name);
  const transcript = new Transcript(path, from);
  for (const one of events) transcript.add(one as { type: string });
  transcript.close();
  return readFileSync(path, 'utf8');
}

const two = [
  { type: 'state' },
  event({}),
  event({ endMs: 1500.4, state: 'heard' }),
  event({ index: 1, text: 'さようなら\n--> 。', startMs: 3_661_001 }),
  event({ index: 1, text: 'さようなら\n--> 。', startMs: 3_661_001, endMs: 3_662_000, state: 'cut' }),
];

describe('a transcript', () => {
  it('is WebVTT, with a cue for each sentence that was heard', () => {
    expect(written('a.vtt', two)).toBe(
      'WEBVTT\n\n1\n00:00:00.000 --> 00:00:01.500\nHello &amp; &lt;goodbye&gt;\n\n' +
        '2\n01:01:01.001 --> 01:01:02.000\nさようなら --&gt; 。 —\n\n',
    );
  });

  it('is SubRip', () => {
    expect(written('a.SRT', two)).toBe(
      '1\n00:00:00,000 --> 00:00:01,500\nHello & <goodbye>\n\n' +
        '2\n01:01:01,001 --> 01:01:02,000\nさようなら -> 。 —\n\n',
    );
  });

  it('is a line of JSON for each sentence', () => {
    const lines = written('a.jsonl', two).trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
      {
        agent: 'default',
        speech: 's1',
        index: 0,
        text: 'Hello & <goodbye>',
        startMs: 0,
        endMs: 1500.4,
        whole: true,
      },
      { index: 1, startMs: 3_661_001, endMs: 3_662_000, whole: false },
    ]);
  });

  it('of several speeches has its times from its own start', () => {
    const text = written(
      'b.srt',
      [
        event({}, 10_000, 's1'),
        event({ endMs: 1000, state: 'heard' }, 11_000, 's1'),
        event({}, 20_000, 's2'),
        event({ endMs: 500, state: 'heard' }, 20_500, 's2'),
      ],
      startedAt,
    );
    expect(text).toContain('00:00:10,000 --> 00:00:11,000');
    expect(text).toContain('00:00:20,000 --> 00:00:20,500');
  });

  it('of one text that several avatars say holds it once', () => {
    const text = written('c.srt', [
      event({}),
      event({ agent: 'other' }),
      event({ endMs: 1000, state: 'heard' }),
      event({ agent: 'other', endMs: 1000, state: 'heard' }),
    ]);
    expect(text.match(/-->/g)).toHaveLength(1);
  });

  it('is refused where its name tells no format, or where it cannot be written', () => {
    expect(() => new Transcript(join(folder, 'a.txt'))).toThrow(/must end in one of \.vtt, \.srt, \.jsonl/);
    expect(() => new Transcript(join(folder, 'nowhere', 'a.vtt'))).toThrow(/could not be written/);
  });
});
