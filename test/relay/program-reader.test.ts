import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ProgramReader, type ProgramUnit } from '../../src/relay/program-reader.js';

const frame = (bytes: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`SND${String(bytes.length).padStart(4, '0')}`), bytes]);

/** Units with the bytes of sound that follow one another put together. */
function told(units: readonly ProgramUnit[]): unknown[] {
  const all: unknown[] = [];
  let sound: Buffer[] = [];
  const flush = (): void => {
    if (sound.length > 0) all.push(Buffer.concat(sound).toString('hex'));
    sound = [];
  };
  for (const unit of units) {
    if (unit.kind === 'sound') {
      sound.push(Buffer.from(unit.bytes));
      continue;
    }
    flush();
    all.push(unit.kind === 'command' ? unit.line : unit.kind === 'mode' ? unit.mode : unit.kind);
  }
  flush();
  return all;
}

function read(parts: readonly Uint8Array[], framing: 'message' | 'stream' = 'stream'): unknown[] {
  const reader = new ProgramReader();
  return told([...parts.flatMap((part) => copied(reader.push(part, framing))), ...reader.end()]);
}

/** Sound is a view of what was pushed. */
function copied(units: ProgramUnit[]): ProgramUnit[] {
  return units.map((unit) => (unit.kind === 'sound' ? { ...unit, bytes: Buffer.from(unit.bytes) } : unit));
}

const text = (line: string): Buffer => Buffer.from(line);

describe('ProgramReader', () => {
  it('reads commands, mode words, frames and segment ends in order', () => {
    const sent = [
      text('__AV_START\n'),
      text('SNDFILE\n'),
      frame(text('abcd')),
      text('SNDBRKS\n'),
      text('A|b\r\n'),
    ];
    expect(read([Buffer.concat(sent)])).toEqual(['__AV_START', 'file', '61626364', 'segment-end', 'A|b']);
  });

  it('reads the same units however the bytes are cut', () => {
    const units = fc.array(
      fc.oneof(
        fc
          .constantFrom('SNDSTRM\n', 'SNDFILE\n', 'SNDBRKS\n', 'S\n', 'STOP\n', 'こんにちは|x\n', 'A\nB\r\n')
          .map(text),
        fc.uint8Array({ minLength: 2, maxLength: 600 }).map((bytes) => frame(Buffer.from(bytes))),
      ),
      { minLength: 1, maxLength: 12 },
    );
    fc.assert(
      fc.property(units, fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }), (sent, sizes) => {
        const whole = Buffer.concat(sent);
        const parts: Buffer[] = [];
        for (let at = 0, i = 0; at < whole.length; i += 1) {
          const size = sizes[i % sizes.length]!;
          parts.push(whole.subarray(at, at + size));
          at += size;
        }
        expect(read(parts)).toEqual(read([whole]));
      }),
    );
  });

  it('carries an odd byte over to the next frame, and drops it at the end of a segment', () => {
    expect(read([frame(text('abc')), frame(text('d'))])).toEqual(['61626364']);
    expect(read([frame(text('abc')), text('SNDBRKS\n'), frame(text('de'))])).toEqual([
      '6162',
      'segment-end',
      '6465',
    ]);
  });

  it('takes a last line without its newline when the connection ends', () => {
    expect(read([text('A|b\nC|d')])).toEqual(['A|b', 'C|d']);
  });

  it('takes a message that begins with sound for the end of the text before it', () => {
    expect(read([text('A|b'), frame(text('cd'))], 'message')).toEqual(['A|b', '6364']);
    expect(read([text('A|b'), text('SNDBRKS\n')], 'message')).toEqual(['A|b', 'segment-end']);
    expect(read([text('A|b'), text('c\n')], 'message')).toEqual(['A|bc']);
  });

  it('passes over empty lines and refuses what would harm the avatar', () => {
    expect(read([text('\n\r\n\nA\n\n\nB\n')])).toEqual(['A', 'B']);
    expect(read([text('SNDFOO|x\nA\n')])).toEqual(['refused', 'A']);
    expect(read([text('a\0b\nA\n')])).toEqual(['refused', 'A']);
    expect(read([text(`${'x'.repeat(9000)}\nA\n`)])).toEqual(['refused', 'A']);
  });

  it('keeps no more than one line of a program that never ends it', () => {
    const reader = new ProgramReader();
    const units = Array.from({ length: 100 }, () => reader.push(Buffer.alloc(5000, 'x'), 'stream')).flat();
    expect(units.map(({ kind }) => kind)).toEqual(['refused']);
    expect(told(reader.push(text('\nA\n'), 'stream'))).toEqual(['A']);
  });

  it('survives any bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 })), (parts) => {
        const reader = new ProgramReader();
        for (const part of parts)
          for (const unit of reader.push(part, 'message'))
            if (unit.kind === 'sound') expect(unit.bytes.length % 2).toBe(0);
        reader.end();
      }),
    );
  });
});
