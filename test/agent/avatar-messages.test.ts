import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { answerOf, classify } from '../../src/agent/messages.js';
import { families } from '../../src/agent/messages/catalogue.js';
import { eventRows } from '../../src/agent/messages/events.js';
import type { Command } from '../../src/agent/messages/shape.js';
import { parseMessage } from '../../src/agent/wire.js';
import { realAgentRecording, recordedTexts } from '../support/recording.js';
const plain = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
  .filter((text) => !/[|,=\\\r\n\0]|\p{Surrogate}/u.test(text));

describe('what the avatar says', () => {
  const kinds = new Map(
    recordedTexts('from agent').map((text) => [text.trimEnd(), classify(parseMessage(text.trimEnd()))]),
  );

  it('is known for every line of the recorded real program, but for what the content made up', () => {
    const unknown = [...kinds].filter(([, typed]) => typed.kind === 'other').map(([line]) => line);
    expect(unknown).toEqual(['HELLO|世界', 'TEST_MESSAGE']);
  });

  it.each([
    ['MODEL_EVENT_ADD|0', { kind: 'model-added', alias: '0' }],
    ['LIPSYNC_EVENT_START|0', { kind: 'lipsync-start', alias: '0' }],
    ['CURRENT_TIME|21|44', { kind: 'time', hour: 21, minute: 44 }],
    ['VALUE_EVENT_GET|v|42', { kind: 'value', alias: 'v', value: '42' }],
    [
      'VALUE_EVENT_EVAL|v|EQ|42|TRUE',
      { kind: 'value-evaluated', alias: 'v', operator: 'EQ', value: '42', result: true },
    ],
    ['MENU_EVENT|SETITEM|Gene|0', { kind: 'menu-item-set', alias: 'Gene', item: 0 }],
    ['AVATAR|START', { kind: 'control-start' }],
    ['AVATAR_EVENT_IDLE|START', { kind: 'idle-start' }],
    ['PLUGIN_EVENT_ENABLE|Remote', { kind: 'plugin-enabled', plugin: 'Remote' }],
    ['MODEL_EVENT_BINDFACE|0|あ', { kind: 'face-bound', alias: '0', morph: 'あ' }],
    [
      'MOTION_ADD|0|m|AppData/motion/02_laugh.vmd|PART|ONCE',
      {
        kind: 'command',
        command: 'motion.add',
        values: { alias: '0', motion: 'm', file: 'AppData/motion/02_laugh.vmd', range: 'PART', play: 'ONCE' },
      },
    ],
    [
      'MENU|SETITEM|Gene|0|頬なし|MODEL_BINDFACE|0|頬全消し|1',
      {
        kind: 'command',
        command: 'menu.setItem',
        values: { alias: 'Gene', item: 0, label: '頬なし', message: 'MODEL_BINDFACE|0|頬全消し|1' },
      },
    ],
  ])('%s is recorded and typed', (line, expected) => {
    expect(kinds.get(line)).toEqual(expected);
  });

  it.each([
    ['RECOG_EVENT_STOP|こんにちは', { kind: 'recognised', text: 'こんにちは' }],
    ['RECOG_EVENT_STOP|a|b', { kind: 'recognised', text: 'a|b' }],
    ['RECOG_EVENT_START', { kind: 'recognition-start' }],
    ['KEY|1', { kind: 'key', key: '1' }],
    ['KEY||', { kind: 'key', key: '|' }],
    ['KEY| ', { kind: 'key', key: ' ' }],
    ['PROMPT_EVENT_SELECTED|-1', { kind: 'prompt-selected', item: -1 }],
    [
      'MODEL_EVENT_BINDFACE|smile_key|0|笑い',
      { kind: 'face-bound-to-key', key: 'smile_key', alias: '0', morph: '笑い' },
    ],
    ['TAPPED|05|12', { kind: 'tapped', x: 5, y: 12 }],
    ['DRAGANDDROP|C:/a.png|1|2', { kind: 'dropped', file: 'C:/a.png', x: 1, y: 2 }],
    [
      '[2026/11/21 21:44:00] [123] Remote: Status: connecting: a|b',
      { kind: 'log', module: 'Remote', level: 'Status', text: 'connecting: a|b' },
    ],
    ['RECOG_EVENT_STOP', { kind: 'other' }],
    ['CURRENT_TIME|x|y', { kind: 'other' }],
    ['MODEL_EVENT_ADD|0|surplus', { kind: 'other' }],
    ['', { kind: 'other' }],
    ['constructor|__proto__', { kind: 'other' }],
  ])('%j is typed, or passes through', (line, expected) => {
    expect(classify(parseMessage(line))).toEqual(expected);
  });

  it('never fails, whatever it is', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(plain, fc.constantFrom('', 'MENU_EVENT', 'ADD', 'KEY', 'CAMERA'))),
        (fields) => {
          classify(parseMessage(fields.join('|')));
          answerOf(fields.join('|'))?.(parseMessage('KEY|1'));
        },
      ),
    );
  });
});

describe('the answer to a command', () => {
  /** The lines we sent in the recording, each with the answer that came within 300 ms, if any. */
  function recordedAnswers(): [string, string | undefined][] {
    const events = realAgentRecording();
    return events.flatMap((sent): [string, string | undefined][] => {
      if (sent.dir !== 'to agent' || !sent.text || sent.text.startsWith('SND')) return [];
      if (sent.ms < 700) return [];
      const line = sent.text.trimEnd();
      const matches = answerOf(line);
      const answer = events.find(
        (event) =>
          event.dir === 'from agent' &&
          event.ms > sent.ms &&
          event.ms < sent.ms + 300 &&
          matches?.(parseMessage(event.text!.trimEnd())),
      );
      return [[line, answer?.text?.trimEnd()]];
    });
  }

  it('is found for every command that the recorded real program answered', () => {
    expect(Object.fromEntries(recordedAnswers().filter(([, answer]) => answer !== undefined))).toEqual({
      __AV_START: 'AVATAR|START',
      'VALUE_SET|v|42': 'VALUE_EVENT_SET|v',
      'VALUE_GET|v': 'VALUE_EVENT_GET|v|42',
      'VALUE_EVAL|v|EQ|42': 'VALUE_EVENT_EVAL|v|EQ|42|TRUE',
      'VALUE_UNSET|v': 'VALUE_EVENT_UNSET|v',
      'TIMER_START|t|0.3': 'TIMER_EVENT_START|t',
      'MOTION_ADD|0|m|AppData/motion/02_laugh.vmd|PART|ONCE': 'MOTION_EVENT_ADD|0|m',
      'MOTION_DELETE|0|m': 'MOTION_EVENT_DELETE|0|m',
      'MODEL_BINDFACE|0|あ|0.5': 'MODEL_EVENT_BINDFACE|0|あ',
      'MODEL_UNBINDFACE|0|あ': 'MODEL_EVENT_UNBINDFACE|0|あ',
      'MOVE_START|0|0,1,0|LOCAL|5': 'MOVE_EVENT_START|0',
      'TURN_START|0|0,10,0|LOCAL|90': 'TURN_EVENT_START|0',
      'ROTATE_START|0|0,10,0|LOCAL|90': 'ROTATE_EVENT_START|0',
      'CAPTION_SETSTYLE|s|/nosuch.ttf|1,1,1,1': 'CAPTION_EVENT_SETSTYLE|s',
      'CAPTION_START|c|s|やあ|2|CENTER|0.5|30': 'CAPTION_EVENT_START|c',
      'LIPSYNC_START|0|a,300,i,300,pau,50': 'LIPSYNC_EVENT_START|0',
      'AVATAR_CONTROL|DISABLE': 'AVATAR|END',
      'AVATAR_CONTROL|ENABLE': 'AVATAR_EVENT_CONTROL|ENABLED',
    });
  });

  it('does not come for what failed, and is not expected for what has none', () => {
    const silent = recordedAnswers().flatMap(([line, answer]) => (answer === undefined ? [line] : []));
    const expecting = silent.filter((line) => answerOf(line) !== undefined);
    expect(expecting).toEqual([
      'MODEL_ADD|x|nosuch.pmd',
      'MODEL_DELETE|nosuch',
      'MOTION_ACCELERATE|0|m|0.5|0|0',
      'MOTION_ADD|0|m2|nosuch.vmd',
      'SOUND_START|s|nosuch.wav',
      'PROMPT_SHOW|"main text"|a|b',
    ]);
    expect(silent.length).toBeGreaterThan(expecting.length);
  });

  it.each([
    ['MODEL_ADD|x|a.pmd|0,0,0', 'MODEL_EVENT_ADD|x', 'MODEL_EVENT_ADD|y'],
    ['MODEL_ADD|x|a.pmd|not a place', 'MODEL_EVENT_ADD|x', 'MODEL_EVENT_ADD|y'],
    ['__AV_MESSAGE,MODEL_ADD|x|a.pmd', 'MODEL_EVENT_ADD|x', 'MODEL_ADD|x|a.pmd'],
    ['MODEL_CHANGE_ASYNC|x|b.pmd', 'MODEL_EVENT_CHANGE|x', 'MODEL_EVENT_ADD|x'],
    [
      'MODEL_BINDBONE|k|0|1|0|首|0,0,0|0,0,0|0,0,0|0,9,0',
      'MODEL_EVENT_BINDBONE|0|首',
      'MODEL_EVENT_BINDBONE|k|0',
    ],
    ['MODEL_BINDFACE|k|0|1|0|あ|0|1', 'MODEL_EVENT_BINDFACE|k|0|あ', 'MODEL_EVENT_BINDFACE|0|あ'],
    ['MENU|ADD|Gene', 'MENU_EVENT|ADD|Gene', 'MENU_EVENT|DELETE|Gene'],
    ['RECOG_MODIFY|GAIN|2', 'RECOG_EVENT_MODIFY|GAIN', 'RECOG_EVENT_MODIFY|USERDICT_SET'],
    ['TIMER_CANCEL|t', 'TIMER_EVENT_CANCELLED|t', 'TIMER_EVENT_STOP|t'],
    ['PROMPT_SHOW|q|a', 'PROMPT_EVENT_SELECTED|0', 'PROMPT_SHOW|q|a'],
    ['PLUGIN_DISABLE|Julius', 'PLUGIN_EVENT_DISABLE|Julius', 'PLUGIN_EVENT_DISABLE|Audio'],
  ])('%s is %s, not %s', (line, right, wrong) => {
    expect(answerOf(line)?.(parseMessage(right))).toBe(true);
    expect(answerOf(line)?.(parseMessage(wrong))).toBe(false);
  });

  it.each(['HELLO|x', 'CAMERA|a.vmd', 'KEYVALUE_SET|k|v', '__AV_SETMODEL,0', ''])(
    'is not known for %j',
    (line) => {
      expect(answerOf(line)).toBeUndefined();
    },
  );

  it('is an event of the table, and brings back arguments that the command has', () => {
    const events = new Set(Object.values(eventRows).map((row) => row.head));
    for (const [family, rows] of Object.entries(families)) {
      for (const [key, row] of Object.entries(rows as Record<string, Command>)) {
        if (row.answer === undefined) continue;
        const [head = '', ...echoed] = row.answer;
        // RECOG_EVENT_MODIFY|GAIN is one event whose argument is a fixed word of the command.
        expect(events.has(head) || events.has(head.split('|')[0]!), `${family}.${key}: ${head}`).toBe(true);
        const names = row.args.map((parameter) => parameter.name);
        for (const name of echoed) expect(names, `${family}.${key}`).toContain(name);
      }
    }
  });
});
