import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_INBOUND_BYTES, MessageReader, encodeCommand, parseMessage } from '../../src/agent/wire.js';
import { recordedTexts } from '../support/recording.js';

const bytes = (text: string): Buffer => Buffer.from(text);
const texts = (reader: MessageReader, data: Uint8Array): string[] => reader.push(data).map((m) => m.text);

describe('MessageReader', () => {
  it('reads every message of the recorded real program', () => {
    const reader = new MessageReader();
    const inbound = recordedTexts('from agent');
    expect(inbound.length).toBeGreaterThan(100);
    for (const text of inbound) {
      const messages = reader.push(bytes(text));
      expect(messages).toHaveLength(1);
      expect(messages[0]).toEqual({ ...parseMessage(text.trimEnd()), truncated: false });
      expect([messages[0]!.type, ...messages[0]!.args].join('|')).toBe(text.trimEnd());
    }
  });

  it('reads the recording the same as a stream in chunks of any size', () => {
    const inbound = recordedTexts('from agent');
    const all = bytes(inbound.join(''));
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1 }), (sizes) => {
        const reader = new MessageReader({ framing: 'stream' });
        const heard: string[] = [];
        for (let at = 0, i = 0; at < all.length; i++) {
          const size = sizes[i % sizes.length]!;
          // The caller's buffer is used again for the next chunk.
          const chunk = Buffer.from(all.subarray(at, at + size));
          heard.push(...texts(reader, chunk));
          chunk.fill(0x7a);
          at += size;
        }
        expect(heard).toEqual(inbound.map((text) => text.trimEnd()));
      }),
      { numRuns: 50 },
    );
  });

  it('gives type and arguments, empty ones included', () => {
    expect(new MessageReader().push(bytes('RECOG_EVENT_STOP|こんにちは\n'))).toEqual([
      {
        text: 'RECOG_EVENT_STOP|こんにちは',
        type: 'RECOG_EVENT_STOP',
        args: ['こんにちは'],
        truncated: false,
      },
    ]);
    expect(parseMessage('TEST')).toMatchObject({ type: 'TEST', args: [] });
    expect(parseMessage('A||b|')).toMatchObject({ type: 'A', args: ['', 'b', ''] });
  });

  it('takes several lines in one message, CRLF, and the blank line after a log line', () => {
    expect(texts(new MessageReader(), bytes('A|1\nB|2\r\nC\n'))).toEqual(['A|1', 'B|2', 'C']);
    expect(texts(new MessageReader(), bytes('[date] [1] Module: Status: text\n\n'))).toEqual([
      '[date] [1] Module: Status: text',
    ]);
    expect(texts(new MessageReader(), bytes('\n'))).toEqual([]);
    expect(texts(new MessageReader(), new Uint8Array(0))).toEqual([]);
  });

  it('gives a message that was cut off in the middle of a character as far as it goes, and reads on', () => {
    const reader = new MessageReader();
    const long = bytes(`TEXTAREA_SET|t|${'あ'.repeat(1000)}\n`).subarray(0, MAX_INBOUND_BYTES);
    const [message, ...more] = reader.push(long);
    expect(more).toEqual([]);
    expect(message!.truncated).toBe(true);
    expect(message!.args[1]).toBe('あ'.repeat(677));
    expect(reader.push(bytes('NEXT\n'))).toEqual([parseMessage('NEXT')]);
  });

  it('finds the end of a cut message in a stream, where the next one follows at once', () => {
    const reader = new MessageReader({ framing: 'stream' });
    const cut = bytes(`A|${'b'.repeat(3000)}`).subarray(0, MAX_INBOUND_BYTES);
    const longest = `C|${'d'.repeat(MAX_INBOUND_BYTES - 3)}`;
    const messages = reader.push(Buffer.concat([cut, bytes(`${longest}\n`)]));
    expect(messages.map((m) => [m.type, m.truncated, m.text.length])).toEqual([
      ['A', true, 2047],
      ['C', false, 2046],
    ]);
  });

  it('replaces broken UTF-8 instead of failing', () => {
    expect(texts(new MessageReader(), Buffer.from([0x41, 0xff, 0x42, 0x0a]))).toEqual(['A\ufffdB']);
  });

  it('gives back whatever command the avatar echoes', () => {
    const line = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }).filter((text) => {
      try {
        encodeCommand(text);
        return !/^\s|\s$/.test(text);
      } catch {
        return false;
      }
    });
    fc.assert(
      fc.property(line, (text) => {
        expect(texts(new MessageReader(), bytes(`${text}\n`))).toEqual([text]);
      }),
    );
  });

  it('never loses or invents a line, whatever bytes come', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (data) => {
        const lines = Buffer.from(data)
          .toString('latin1')
          .split('\n')
          .filter((part) => part.replace(/\r$/, '') !== '');
        const messages = new MessageReader().push(data);
        // A cut line of nothing but half a character has no text left, yet it is a line.
        expect(messages.length).toBe(lines.length);
      }),
    );
  });
});
