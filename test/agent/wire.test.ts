import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  MAX_ARGUMENTS_BYTES,
  MAX_FRAME_SAMPLES,
  MAX_LINE_BYTES,
  MAX_MESSAGE_BYTES,
  MAX_TYPE_BYTES,
  MODE_FILE,
  MODE_STREAM,
  SEGMENT_END,
  START_COMMAND,
  autoLipCommand,
  checkAlias,
  closeMouthCommand,
  decodeMark,
  encodeCommand,
  encodeFrame,
  encodeMark,
  isProbeAnswer,
  parseMessage,
  probeCommand,
  setModelCommand,
  type WireUnit,
} from '../../src/agent/wire.js';
import { BLOCK_SAMPLES, paddingSamples } from '../../src/base/avatar.js';
import { BridgeError, type ErrorCode } from '../../src/base/errors.js';
import { unitBytes } from '../support/unit-bytes.js';

type Heard = { command: string } | { samples: number[] } | { mode: string };

/**
 * The avatar's receiver, as protocol.md §2 tells it: one buffer of 8,192 bytes for text and sound. It throws wherever the
 * real program dies, wedges, or would wait for bytes that may never come.
 */
class Receiver {
  readonly heard: Heard[] = [];

  take(message: Uint8Array): void {
    if (message.length === 0) throw new Error('empty message: taken for a disconnect');
    if (message.length >= 8192) throw new Error('message fills the buffer: taken for a disconnect');
    let rest = Buffer.from(message);
    while (rest.length > 0) rest = rest.subarray(this.#unit(rest));
  }

  /** @returns bytes of the unit at the head of the buffer */
  #unit(buffer: Buffer): number {
    if (buffer[0] === 0x53) {
      if (buffer.length < 7) throw new Error('begins with S, under 7 bytes: waits for more');
      const head = buffer.toString('latin1', 0, 7);
      if (/^SND(STRM|FILE|BRKS)$/.test(head)) {
        this.heard.push({ mode: head.slice(3) });
        if (buffer[7] !== 0x0a) throw new Error('mode word without its newline');
        return 8;
      }
      if (head.startsWith('SND')) {
        if (!/^SND\d{4}$/.test(head)) throw new Error('begins with SND, but is no frame: bytes are eaten');
        return this.#frame(buffer, Number(head.slice(3)));
      }
    }
    return this.#text(buffer);
  }

  #frame(buffer: Buffer, payloadBytes: number): number {
    if (payloadBytes === 0) throw new Error('a frame without sound');
    if (payloadBytes % 2 === 1) throw new Error('odd payload: noise');
    if (payloadBytes > 1280) throw new Error('larger than one TCP segment');
    if (buffer.length < 7 + payloadBytes) throw new Error('half a frame: waits for the rest');
    const samples: number[] = [];
    for (let at = 7; at < 7 + payloadBytes; at += 2) samples.push(buffer.readInt16LE(at));
    this.heard.push({ samples });
    return 7 + payloadBytes;
  }

  #text(buffer: Buffer): number {
    if (buffer[0] === 0x0a || buffer[0] === 0x0d) throw new Error('leading newline: wedged for good');
    let end = buffer.findIndex((byte) => byte === 0x0a || byte === 0x0d || byte === 0);
    if (end === -1 || buffer[end] === 0) throw new Error('text without its newline: glued to what follows');
    const line = buffer.subarray(0, end);
    if (line.length > 2047 + '__AV_MESSAGE,'.length) throw new Error('runs over an array of 2,048 bytes');
    this.heard.push({ command: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(line) });
    while (buffer[end] === 0x0a || buffer[end] === 0x0d) end++;
    return end;
  }
}

function codeOf(action: () => unknown): { code: ErrorCode; message: string } | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    if (!(error instanceof BridgeError)) throw error;
    return { code: error.code, message: error.message };
  }
}

const argument = fc
  .string({ unit: 'grapheme', maxLength: 30 })
  .filter((text) => !/[|\r\n\0]|\p{Surrogate}/u.test(text));
const type = fc.oneof(
  fc.stringMatching(/^[A-Z][A-Z_]{0,20}$/),
  fc.stringMatching(/^S[A-Z]{0,5}$/),
  fc.constantFrom(
    'S',
    'ST',
    'SN',
    'STOP',
    'STAGE',
    'MOTION_ADD',
    '__AV_TRACK',
    '__AV_MESSAGE,HELLO',
    'こんにちは',
  ),
);
const command = fc
  .tuple(type, fc.array(argument, { maxLength: 6 }))
  .map(([head, args]) => [head, ...args].join('|'))
  .filter((line) => !line.startsWith('SND'));
const frame = fc.int16Array({ minLength: 1, maxLength: MAX_FRAME_SAMPLES });
const mode = fc.constantFrom<[string, WireUnit][]>(
  ['FILE', MODE_FILE],
  ['STRM', MODE_STREAM],
  ['BRKS', SEGMENT_END],
);

describe('what leaves for the avatar', () => {
  it('comes back from the receiver of protocol.md as exactly those commands and samples, in any order', () => {
    const item = fc.oneof(
      command.map((line) => ({
        unit: encodeCommand(line, { allowDangerous: true }),
        heard: { command: line },
      })),
      frame.map((samples) => ({ unit: encodeFrame(samples), heard: { samples: [...samples] } })),
      mode.map(([word, unit]) => ({ unit, heard: { mode: word } })),
    );
    fc.assert(
      fc.property(fc.array(item, { maxLength: 12 }), (items) => {
        const receiver = new Receiver();
        for (const { unit } of items) receiver.take(unitBytes(unit));
        expect(receiver.heard).toEqual(items.map(({ heard }) => heard));
      }),
      { numRuns: 150 },
    );
  });

  it('is understood the same when the network joins messages (TCP, protocol.md §6)', () => {
    fc.assert(
      fc.property(command, frame, command, (first, samples, second) => {
        const receiver = new Receiver();
        const units = [
          encodeCommand(first, { allowDangerous: true }),
          encodeFrame(samples),
          encodeCommand(second, { allowDangerous: true }),
        ];
        receiver.take(Buffer.concat(units.map(unitBytes)));
        expect(receiver.heard).toEqual([{ command: first }, { samples: [...samples] }, { command: second }]);
      }),
      { numRuns: 100 },
    );
  });

  it('is either exactly the line that was asked for, or refused: any text at all', () => {
    const nasty = fc
      .array(
        fc.oneof(
          fc.constantFrom(
            '\n',
            '\r\n',
            '\0',
            '|',
            'SND',
            'SNDFILE',
            'SND0002',
            ' ',
            '__AV_MESSAGE,',
            '\ud800',
            'S',
            'あ',
          ),
          fc.string({ unit: 'binary', maxLength: 5 }),
          fc.integer({ min: 1, max: 2200 }).map((length) => 'x'.repeat(length)),
        ),
        { maxLength: 6 },
      )
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(nasty, (line) => {
        let unit: WireUnit;
        try {
          unit = encodeCommand(line, { allowDangerous: true });
        } catch (error) {
          expect((error as BridgeError).code).toBe('COMMAND_INVALID');
          return;
        }
        expect(unit.byteLength).toBeLessThanOrEqual(MAX_MESSAGE_BYTES);
        const receiver = new Receiver();
        receiver.take(unitBytes(unit));
        expect(receiver.heard).toEqual([{ command: line }]);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('a command', () => {
  it.each([
    ['STOP', 'STOP\n\n\n'],
    ['S', 'S\n\n\n\n\n\n'],
    ['STAGE', 'STAGE\n\n'],
    ['SPEAK_', 'SPEAK_\n'],
    ['TEST', 'TEST\n'],
    ['HELLO|世界', 'HELLO|世界\n'],
  ])('%j leaves as %j', (line, expected) => {
    expect(unitBytes(encodeCommand(line)).toString()).toBe(expected);
  });

  it.each([
    ['', /empty/],
    ['  \t', /empty/],
    ['\n', /empty/],
    ['A|b\nC|d', /line break/],
    ['A|b\n', /line break/],
    ['\nA', /line break/],
    ['A|b\rC', /line break/],
    ['A|b\0C', /NUL/],
    ['A|\ud83d', /surrogate/],
    ['SNDFOO|x', /begins with SND/],
    ['SNDFILE', /begins with SND/],
    ['|x', /no type/],
    ['__AV_MESSAGE,', /no message type after __AV_MESSAGE,/],
    ['__AV_MESSAGE,|x', /no message type after __AV_MESSAGE,/],
  ])('%j is refused by the rule it breaks', (line, reason) => {
    expect(codeOf(() => encodeCommand(line, { allowDangerous: true }))).toEqual({
      code: 'COMMAND_INVALID',
      message: expect.stringMatching(reason) as string,
    });
  });

  it('may have 2,000 bytes of type or of arguments, counted in UTF-8, and not one more', () => {
    const ok = [
      'T'.repeat(MAX_TYPE_BYTES),
      `T|${'a'.repeat(MAX_ARGUMENTS_BYTES)}`,
      `T|${'あ'.repeat(666)}aa`,
      `__AV_MESSAGE,T|${'a'.repeat(MAX_ARGUMENTS_BYTES)}`,
    ];
    for (const line of ok) expect(unitBytes(encodeCommand(line)).at(-1)).toBe(0x0a);
    const tooLong: [string, RegExp][] = [
      ['T'.repeat(MAX_TYPE_BYTES + 1), /type has 2001 bytes.*limit is 2000/],
      [`T|${'a'.repeat(MAX_ARGUMENTS_BYTES + 1)}`, /arguments have 2001 bytes.*limit is 2000/],
      [`T|${'あ'.repeat(667)}`, /arguments have 2001 bytes/],
      [`__AV_MESSAGE,T|${'a'.repeat(MAX_ARGUMENTS_BYTES + 1)}`, /arguments have 2001 bytes/],
      [`${'T'.repeat(1000)}|${'a'.repeat(MAX_LINE_BYTES - 1000)}`, /limit of a whole line is 2046/],
    ];
    for (const [line, reason] of tooLong) {
      expect(codeOf(() => encodeCommand(line))).toEqual({
        code: 'COMMAND_INVALID',
        message: expect.stringMatching(reason) as string,
      });
    }
  });

  it('is named in the refusal, cut short and on one line', () => {
    const { message } = codeOf(() => encodeCommand(`A|${'b'.repeat(3000)}\n`))!;
    expect(message).toContain('"A|bbb');
    expect(message).not.toContain('\n');
    expect(message.length).toBeLessThan(250);
  });

  it.each([
    'EXECUTE|calc.exe',
    'EXECUTE',
    'NETWORK_GET|a|http://example.org/x|x',
    'KEY_POST|w|a|OFF|OFF|OFF',
    'OPEN_CONTENT|other.mdf',
    'PLUGIN_DISABLE|Remote',
    'PLUGIN_ENABLE|Julius',
    'SPEAK_START|0|nosuch.wav',
    'AVATAR_LOGSAVE_START|/home/user/.profile',
    'MOTIONCAPTURE_START|0|/home/user/.profile',
    'KEYVALUE_SET|_RequestedURL|calc.exe',
    '__AV_MESSAGE,EXECUTE|calc.exe',
    '__AV_MESSAGE,__AV_MESSAGE,EXECUTE|calc.exe',
    'MENU|SETITEM|page|0|press me|EXECUTE|calc.exe',
    'MENU||SETITEM|page|0|press me|EXECUTE|calc.exe',
    'MENU|SETITEM|page|0|press me|MENU|SETITEM|page|1|me too|SPEAK_START|0|x.wav',
    'BUTTON_ADD|b|1.0|0,0|b.png|message,EXECUTE|OFF',
    'BUTTON_ADD|b|1.0|0,0|b.png|play,other.mdf|OFF',
    'BUTTON_ADD|b|1.0|0,0|b.png|open,http://example.org/|OFF',
  ])('%j needs a permission, and says why', (line) => {
    expect(codeOf(() => encodeCommand(line))).toEqual({
      code: 'COMMAND_DANGEROUS',
      message: expect.stringMatching(/was not sent: it ./) as string,
    });
    expect(encodeCommand(line, { allowDangerous: true }).byteLength).toBeGreaterThan(0);
  });

  it.each([
    'SPEAK_STOP|0',
    'EXECUTED|x',
    'TEXTAREA_SET|t|EXECUTE',
    'MENU|SETITEM|EXECUTE|0|EXECUTE|MODEL_BINDFACE|0|a|1',
    'MENU|ADD|EXECUTE',
    'KEYVALUE_SET|name|_RequestedURL',
    'BUTTON_ADD|b|1.0|0,0|b.png|message,HELLO|OFF',
    'PLUGIN_EVENT_ENABLE|Remote',
  ])('%j needs none', (line) => {
    expect(() => encodeCommand(line)).not.toThrow();
  });
});

describe('a frame', () => {
  it('is SND, four digits, and little-endian samples', () => {
    const unit = unitBytes(encodeFrame(Int16Array.of(1, -2, 0x1234, -32768)));
    expect(unit.toString('latin1', 0, 7)).toBe('SND0008');
    expect([...unit.subarray(7)]).toEqual([1, 0, 0xfe, 0xff, 0x34, 0x12, 0, 0x80]);
  });

  it('takes a part of a larger array, and a copy of it does not change when that array does', () => {
    const samples = Int16Array.of(9, 8, 7, 6);
    const unit = encodeFrame(samples.subarray(1, 3));
    expect([...unitBytes(unit).subarray(7)]).toEqual([8, 0, 7, 0]);
    const copy = unit.copy();
    samples.fill(0);
    expect([...unitBytes(copy).subarray(7)]).toEqual([8, 0, 7, 0]);
  });

  it('is written where it is asked to be, and nowhere else', () => {
    const target = Buffer.alloc(20, 0xee);
    expect(encodeFrame(Int16Array.of(1)).writeTo(target, 5)).toBe(14);
    expect(encodeCommand('A').writeTo(target, 14)).toBe(16);
    expect(target.toString('latin1')).toBe('\xee'.repeat(5) + 'SND0002\x01\0A\n' + '\xee'.repeat(4));
  });

  it('holds 1 to 640 samples', () => {
    expect(encodeFrame(new Int16Array(MAX_FRAME_SAMPLES)).byteLength).toBe(7 + 1280);
    expect(codeOf(() => encodeFrame(new Int16Array(0)))?.code).toBe('INTERNAL');
    expect(codeOf(() => encodeFrame(new Int16Array(MAX_FRAME_SAMPLES + 1)))?.code).toBe('INTERNAL');
  });

  it('is completed to whole blocks of 256 samples', () => {
    expect([0, 1, 255, 256, 257].map(paddingSamples)).toEqual([0, 255, 1, 0, 255]);
    fc.assert(
      fc.property(fc.nat(2 ** 40), (total) => {
        const padding = paddingSamples(total);
        expect((total + padding) % BLOCK_SAMPLES).toBe(0);
        expect(padding).toBeLessThan(BLOCK_SAMPLES);
      }),
    );
  });
});

describe('the words of the wire', () => {
  it('name the model, probe it, and close its mouth', () => {
    expect(START_COMMAND).toBe('__AV_START');
    expect(setModelCommand('0')).toBe('__AV_SETMODEL,0');
    expect(probeCommand('0')).toBe('LIPSYNC_START|0|sil,10');
    expect(closeMouthCommand('メイ')).toBe('LIPSYNC_START|メイ|sil,30');
    expect(autoLipCommand('ARKIT+AU')).toBe('__AVCONF_DISABLEAUTOLIP,ARKIT+AU');
  });

  it.each(['', ' ', 'a|b', 'a,b', 'a\nb', 'a\0', '\udc00'])('refuse the alias %j', (alias) => {
    expect(codeOf(() => checkAlias(alias))?.code).toBe('COMMAND_INVALID');
  });

  it('know the answer to the probe from its echo and from other models', () => {
    expect(isProbeAnswer(parseMessage('LIPSYNC_EVENT_START|0'), '0')).toBe(true);
    expect(isProbeAnswer(parseMessage('LIPSYNC_EVENT_START|1'), '0')).toBe(false);
    expect(isProbeAnswer(parseMessage('LIPSYNC_START|0|sil,10'), '0')).toBe(false);
  });

  it('mark places with pings that are never empty', () => {
    expect(decodeMark(encodeMark(0))).toBe(0);
    expect(decodeMark(encodeMark(123_456))).toBe(123_456);
    expect(decodeMark(Uint8Array.of(0))).toBeUndefined();
    expect(decodeMark(Buffer.from('mark-1x'))).toBeUndefined();
  });
});
