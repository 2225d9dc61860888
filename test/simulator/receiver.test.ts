import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AvatarReceiver, type ReceiverAction } from '../../src/simulator/receiver.js';
import { RULES, RuleLog, type RuleId } from '../../src/simulator/rules.js';

const bytes = (text: string): Buffer => Buffer.from(text);

/** One sound frame around these samples. */
function frame(samples: readonly number[]): Buffer {
  const payload = Buffer.from(Int16Array.from(samples).buffer);
  return Buffer.concat([bytes(`SND${String(payload.length).padStart(4, '0')}`), payload]);
}

function receiver() {
  const log = new RuleLog();
  const it = new AvatarReceiver(log);
  return {
    it,
    /** Pushes messages at time 0 and tells, in short, what the avatar does. */
    push: (...messages: (string | Buffer)[]): string[] =>
      messages.flatMap((message) =>
        it.push(typeof message === 'string' ? bytes(message) : message, 0).map(short),
      ),
    pushAt: (atMs: number, message: string) => it.push(bytes(message), atMs).map(short),
    broken: (): RuleId[] => Object.keys(log.counts()) as RuleId[],
    log,
  };
}

function short(action: ReceiverAction): string {
  switch (action.kind) {
    case 'command':
      return action.line;
    case 'mode':
      return `mode ${action.mode}`;
    case 'segment':
      return 'segment';
    case 'audio':
      return `audio ${action.samples.join(',')}`;
    case 'died':
      return `died ${action.how} ${action.rule}`;
  }
}

describe('the table of protocol.md §2', () => {
  it('dies of an empty message', () => {
    const { push, broken, it } = receiver();
    expect(push('')).toEqual(['died disconnect empty-message']);
    expect(it.state).toBe('dead');
    expect(broken()).toEqual(['empty-message']);
    expect(push('A|1\n')).toEqual([]);
  });

  it.each(['\n', '\r\n', '\n\n\n'])('crashes at a message of only newlines: %j', (message) => {
    const { push, broken } = receiver();
    expect(push('A\n', message)).toEqual(['A', 'died crash newline-only']);
    expect(broken()).toEqual(['newline-only']);
  });

  it('is wedged for good by a leading newline, and dies when its buffer is full', () => {
    const { push, broken, it } = receiver();
    expect(push('\nA\n', 'B\n', frame([1, 2]))).toEqual([]);
    expect(it.state).toBe('wedged');
    expect(broken()).toEqual(['leading-newline']);
    expect(push(Buffer.alloc(8_191 - it.pendingBytes))).toEqual([]);
    expect(push('x')).toEqual(['died disconnect buffer-overflow']);
    expect(broken()).toEqual(['leading-newline', 'buffer-overflow']);
  });

  it('glues text without its newline to the next text', () => {
    const { push, broken } = receiver();
    expect(push('HELLO', 'WORLD|1\n', 'NEXT\n')).toEqual(['HELLOWORLD|1', 'NEXT']);
    expect(broken()).toEqual(['unterminated-text']);
  });

  it('is wedged for good by sound after text without its newline', () => {
    const { push, broken, it } = receiver();
    expect(push('HELLO', frame([257, 10, 0x0a0a]), 'B\n', frame([1]))).toEqual([]);
    expect(it.state).toBe('wedged');
    expect(broken()).toEqual(['unterminated-text']);
  });

  it('is wedged for good by sound behind text in the same message', () => {
    const { push, broken, it } = receiver();
    expect(push(Buffer.concat([bytes('HELLO'), frame([1, 0])]), 'B\n')).toEqual([]);
    expect(it.state).toBe('wedged');
    expect(broken()).toEqual(['nul-in-text']);
  });

  it.each([
    ['A\nB\n', ['A', 'B']],
    ['A\n\nB\n', ['A', 'B']],
    ['A\r\nB\r\n', ['A', 'B']],
  ])('runs several lines of one message: %j', (message, lines) => {
    const { push, broken, log } = receiver();
    expect(push(message)).toEqual(lines);
    expect(broken()).toEqual(['several-units']);
    expect(log.list('fault')).toEqual([]);
  });

  it('runs a line of 2,000 bytes, and one of type and arguments of 2,000 bytes each', () => {
    const { push, broken } = receiver();
    const lines = ['A|'.padEnd(2_000, 'x'), `${'T'.repeat(2_000)}|${'x'.repeat(2_000)}`];
    expect(push(`${lines[0]}\n`, `${lines[1]}\n`)).toEqual(lines);
    expect(broken()).toEqual([]);
  });

  it('survives 3,000 bytes and faults them', () => {
    const { push, broken } = receiver();
    expect(push(`A|${'x'.repeat(2_998)}\n`)).toHaveLength(1);
    expect(broken()).toEqual(['line-too-long']);
  });

  it('crashes at a line of 8,190 bytes', () => {
    const { push } = receiver();
    expect(push(`${'x'.repeat(8_190)}\n`)).toEqual(['died crash line-too-long']);
  });

  it('dies of a message of 8,192 bytes, and of a payload of 8,185', () => {
    expect(receiver().push(Buffer.alloc(8_192, 'x'))).toEqual(['died disconnect message-too-long']);
    const payload = Buffer.concat([bytes('SND8185'), Buffer.alloc(8_185)]);
    expect(receiver().push(payload)).toEqual(['died disconnect message-too-long']);
  });

  it('plays a payload of 8,184 bytes', () => {
    const { push, broken } = receiver();
    const silence = new Array<number>(4_092).fill(0);
    expect(push(frame(silence))).toEqual([`audio ${silence.join(',')}`]);
    expect(broken()).toEqual([]);
  });

  it('holds a short text that starts with S until more comes', () => {
    const { push, broken, it } = receiver();
    expect(push('STOP\n')).toEqual([]);
    expect(it.pendingBytes).toBe(5);
    expect(push('NEXT\n')).toEqual(['STOP', 'NEXT']);
    expect(broken()).toEqual(['short-text-waits']);
  });

  it('runs a short text that starts with S and is padded to 7 bytes', () => {
    const { push, broken } = receiver();
    expect(push('STOP\n\n\n', 'S\n\n\n\n\n\n', 'NEXT\n')).toEqual(['STOP', 'S', 'NEXT']);
    expect(broken()).toEqual([]);
  });

  it('faults a short text that waits for longer than an echo may take', () => {
    const { pushAt, broken, it } = receiver();
    pushAt(0, 'STOP\n');
    it.checkWaiting(250);
    expect(broken()).toEqual(['short-text-waits']);
    expect(pushAt(300, 'NEXT\n')).toEqual(['STOP', 'NEXT']);
    expect(broken()).toEqual(['short-text-waits', 'short-text-stuck']);
  });

  it('eats seven bytes of what starts with SND and is no frame', () => {
    const { push, log } = receiver();
    expect(push('SNDFOO|x\n', 'NEXT\n')).toEqual(['x', 'NEXT']);
    expect(log.list('fault').map(({ rule }) => rule)).toEqual(['snd-without-frame']);
  });

  it('takes a frame split over messages', () => {
    const { push, broken, log } = receiver();
    const whole = frame([1, -2, 3]);
    expect(push(whole.subarray(0, 4), whole.subarray(4, 9), whole.subarray(9))).toEqual(['audio 1,-2,3']);
    expect(broken()).toEqual(['split-unit']);
    expect(log.list('fault')).toEqual([]);
  });

  it('takes several units in one message', () => {
    const { push, broken } = receiver();
    const message = Buffer.concat([
      bytes('SNDFILE\nA|1\n'),
      frame([7]),
      bytes('SNDBRKS\nSNDSTRM\n'),
      frame([8]),
    ]);
    expect(push(message)).toEqual(['mode file', 'A|1', 'audio 7', 'segment', 'mode stream', 'audio 8']);
    expect(broken()).toEqual(['several-units']);
  });

  it('plays nothing of a frame without a sample, and notes it', () => {
    const { push, broken } = receiver();
    expect(push('SND0000', frame([5]))).toEqual(['audio 5']);
    expect(broken()).toEqual(['empty-payload']);
  });

  it('drops the last byte of an odd payload', () => {
    const { push, broken } = receiver();
    expect(push(Buffer.concat([bytes('SND0003'), Buffer.from([1, 0, 99])]), frame([2]))).toEqual([
      'audio 1',
      'audio 2',
    ]);
    expect(broken()).toEqual(['odd-payload']);
  });

  it('keeps Japanese and emoji exact', () => {
    const { push, broken } = receiver();
    expect(push('\uFEFFMESSAGE|世界👋\n')).toEqual(['\uFEFFMESSAGE|世界👋']);
    expect(broken()).toEqual([]);
  });

  it('runs 1,000 commands in order', () => {
    const lines = Array.from({ length: 1_000 }, (_, i) => `C|${i}`);
    const { push, broken } = receiver();
    expect(push(...lines.map((line) => `${line}\n`))).toEqual(lines);
    expect(broken()).toEqual([]);
  });
});

describe('what the table does not say', () => {
  it('crashes when the newline of a mode word comes alone', () => {
    const { push, broken } = receiver();
    expect(push('SNDFILE', '\n')).toEqual(['mode file', 'died crash newline-only']);
    expect(broken()).toEqual(['mode-word-unterminated', 'newline-only']);
  });

  it('reads the payload of a CLOSE frame as the head of the next command', () => {
    const { push, broken } = receiver();
    expect(push(Buffer.from([0x03, 0xe8]), 'A|1\n')).toEqual(['\u0003\uFFFDA|1']);
    expect(broken()).toEqual(['unterminated-text', 'invalid-utf8']);
  });

  it('crashes at a negative length', () => {
    expect(receiver().push('SND-123\n')).toEqual(['died crash snd-without-frame']);
  });

  it('keeps the first cases of a rule and counts all', () => {
    const log = new RuleLog(undefined, 2);
    const noisy = new AvatarReceiver(log);
    for (let i = 0; i < 50; i++) noisy.push(bytes('SND0001x'), i);
    expect(log.counts()['odd-payload']).toBe(50);
    expect(log.list('fault').map(({ atMs }) => atMs)).toEqual([0, 1]);
  });

  it('names a section of the protocol for every rule', () => {
    for (const { section, rule } of Object.values(RULES)) {
      expect(section).toMatch(/^[1-7]$/);
      expect(rule).not.toBe('');
    }
  });
});

/** A command that a careful sender writes: no control characters, no SND, padded when it is short and starts with S. */
const command = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 40 })
  .map((text) => text.replace(/\p{C}/gu, '').replace(/^SND/, 'X'))
  .filter((text) => text !== '')
  .map((line) => {
    const pad = line.startsWith('S') ? Math.max(0, 7 - Buffer.byteLength(line) - 1) : 0;
    return { unit: bytes(`${line}\n${'\n'.repeat(pad)}`), action: line };
  });
const modeWord = fc.constantFrom(
  { unit: bytes('SNDFILE\n'), action: 'mode file' },
  { unit: bytes('SNDSTRM\n'), action: 'mode stream' },
  { unit: bytes('SNDBRKS\n'), action: 'segment' },
);
const sound = fc
  .array(fc.integer({ min: -32768, max: 32767 }), { minLength: 1, maxLength: 700 })
  .map((samples) => ({ unit: frame(samples), action: `audio ${samples.join(',')}` }));
const units = fc.array(fc.oneof(command, modeWord, sound), { maxLength: 25 });

describe('any sequence of legal units', () => {
  it('is understood without a broken rule, one unit a message', () => {
    fc.assert(
      fc.property(units, (sequence) => {
        const { push, broken } = receiver();
        expect(push(...sequence.map(({ unit }) => unit))).toEqual(sequence.map(({ action }) => action));
        expect(broken()).toEqual([]);
      }),
    );
  });

  it('gives the same actions in any chunking', () => {
    fc.assert(
      fc.property(units, fc.array(fc.nat(), { maxLength: 60 }), (sequence, wanted) => {
        const all = Buffer.concat(sequence.map(({ unit }) => unit));
        // The one place where a cut matters: before the newline of a mode word, which then comes alone.
        const forbidden = new Set<number>();
        let end = 0;
        for (const { unit, action } of sequence) {
          end += unit.length;
          if (/^(mode|segment)/.test(action)) forbidden.add(end - 1);
        }
        const cuts = [...new Set(wanted.map((cut) => (all.length ? cut % all.length : 0)))]
          .filter((cut) => cut > 0 && !forbidden.has(cut))
          .sort((a, b) => a - b);
        const messages = [0, ...cuts].map((cut, i) => all.subarray(cut, cuts[i] ?? all.length));
        const { it: subject, log } = receiver();
        const actions: string[] = [];
        for (const message of messages) {
          // A message that would not fit is one that no sender may make.
          if (message.length === 0 || subject.pendingBytes + message.length > 8_191) return;
          for (const action of subject.push(message, 0)) actions.push(short(action));
        }
        expect(actions).toEqual(sequence.map(({ action }) => action));
        expect(log.list('fault').filter(({ rule }) => rule !== 'unterminated-text')).toEqual([]);
      }),
    );
  });

  it('never throws, whatever bytes come', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 12 }), (messages) => {
        const { it: subject } = receiver();
        for (const message of messages) subject.push(message, 0);
        expect(subject.pendingBytes).toBeLessThanOrEqual(8_191);
      }),
    );
  });
});
