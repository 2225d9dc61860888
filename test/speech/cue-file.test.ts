import { describe, expect, it } from 'vitest';
import { parseCueFile } from '../../src/speech/cue-file.js';

describe('a cue file', () => {
  it('in JSON holds times, commands and whether they are always sent', () => {
    expect(
      parseCueFile(
        '\uFEFF[{"atMs":1200,"send":"MOTION_ADD|0|nod|nod.vmd"},{"atMs":-5,"send":"X","always":true}]',
        'c.json',
      ),
    ).toEqual([
      { atMs: 1200, send: 'MOTION_ADD|0|nod|nod.vmd' },
      { atMs: -5, send: 'X', always: true },
    ]);
  });

  it('in WebVTT holds a command a line, at the start of its cue', () => {
    const text = [
      'WEBVTT - gestures',
      '',
      'NOTE made by hand',
      '',
      'first',
      '00:01.200 --> 00:02.000 align:start',
      'MOTION_ADD|0|nod|nod.vmd',
      'CAPTION_START|c|s|やあ|2|CENTER|0.5|30',
      '',
      '01:00:00.005 --> 01:00:01.000',
      'STOP',
      '',
    ].join('\r\n');
    expect(parseCueFile(text, 'c.vtt')).toEqual([
      { atMs: 1200, send: 'MOTION_ADD|0|nod|nod.vmd' },
      { atMs: 1200, send: 'CAPTION_START|c|s|やあ|2|CENTER|0.5|30' },
      { atMs: 3_600_005, send: 'STOP' },
    ]);
  });

  it.each([
    ['not json', /neither JSON nor WebVTT/],
    ['[{"atMs":"1","send":"X"}]', /wrong at 0.atMs/],
    ['[{"atMs":1,"send":""}]', /wrong at 0.send/],
    ['[{"atMs":1,"send":"X","loud":1}]', /wrong at 0/],
    ['{"atMs":1}', /wrong at its top/],
    ['WEBVTT\n\nhello\nX', /without a time: hello/],
  ])('that is wrong says where: %s', (text, message) => {
    expect(() => parseCueFile(text, 'c.json')).toThrow(message);
  });
});
