import { describe, expect, it } from 'vitest';
import { voicesIn } from '../../src/tts/voice-list.js';

describe('voicesIn', () => {
  it.each<[string, unknown, [id: string, name: string, language?: string][]]>([
    [
      'strings',
      ['a', 'b'],
      [
        ['a', 'a'],
        ['b', 'b'],
      ],
    ],
    ['strings under voices', { voices: ['a'] }, [['a', 'a']]],
    ['objects under data', { object: 'list', data: [{ id: 'x', object: 'voice' }] }, [['x', 'x']]],
    [
      'an object under voices',
      { voices: { af: { name: 'Heart', lang: 'en_US' }, bf: {} } },
      [
        ['af', 'Heart', 'en-US'],
        ['bf', 'bf'],
      ],
    ],
    ['an object of ids', { en_low: { language: { code: 'en_GB' } } }, [['en_low', 'en_low', 'en-GB']]],
    [
      'names by id',
      { '1': 'Alice', '2': 'Bob' },
      [
        ['1', 'Alice'],
        ['2', 'Bob'],
      ],
    ],
    ['files by name', { alice: '/voices/alice.wav' }, [['alice', 'alice']]],
    ['voice_id', { voices: [{ voice_id: 'q1', name: 'Rachel', labels: {} }] }, [['q1', 'Rachel']]],
    ['names alone', [{ name: 'nova', languages: ['en', 'ja'] }], [['nova', 'nova', 'en']]],
    [
      'styles',
      [
        {
          name: 'ずんだもん',
          speaker_uuid: 'u',
          styles: [
            { name: 'ノーマル', id: 3 },
            { name: 'あまあま', id: 1 },
          ],
        },
      ],
      [
        ['3', 'ずんだもん/ノーマル'],
        ['1', 'ずんだもん/あまあま'],
      ],
    ],
    [
      'numbers',
      { speakers: [0, 1] },
      [
        ['0', '0'],
        ['1', '1'],
      ],
    ],
    ['the same voice twice', ['a', { id: 'a', name: 'A' }], [['a', 'a']]],
    ['nothing', { voices: [] }, []],
    ['no list at all', 'oops', []],
    ['null', null, []],
  ])('reads %s', (_name, answer, voices) => {
    expect(voicesIn(answer)).toEqual(voices.map(([id, name, language]) => ({ id, name, language })));
  });
});
