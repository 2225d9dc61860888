import { describe, expect, it } from 'vitest';
import { ContentPlayer, parseContent } from '../../src/simulator/content.js';
import { SynthPlugin, type PluginSpeech } from '../../src/simulator/synth-plugin.js';
import { FakeClock } from '../support/fake-clock.js';

describe('a dialogue content', () => {
  it('is read line by line, with comments and both kinds of arrow', () => {
    const rules = parseContent(
      '# greeting\n\nKEY|1 → SYNTH_START|0|mei|やあ -> SYNTH_EVENT_STOP|0\r\n',
      'a file',
    );
    expect(rules).toEqual([
      {
        trigger: 'KEY|1',
        steps: [
          { kind: 'issue', message: 'SYNTH_START|0|mei|やあ' },
          { kind: 'wait', message: 'SYNTH_EVENT_STOP|0' },
        ],
      },
    ]);
  });

  it.each(['KEY|1', 'KEY|1 ->', '-> A', 'A -> -> B'])('refuses %s, and names its line', (line) => {
    expect(() => parseContent(`A -> B\n${line}`, 'talk.txt')).toThrow(/talk\.txt, line 2/);
  });

  it('issues its steps 20 ms after what they wait for, and begins anew when its trigger comes again', async () => {
    const clock = new FakeClock();
    const issued: string[] = [];
    const player = new ContentPlayer(
      parseContent('KEY|1 -> A -> B -> X_EVENT_STOP|0 -> C', 'a file'),
      (delayMs, run) => clock.after(delayMs, run),
      (message) => issued.push(message),
    );
    player.saw('KEY|1');
    expect(issued).toEqual([]);
    await clock.advance(20);
    expect(issued).toEqual(['A', 'B']);
    player.saw('X_EVENT_STOP|1');
    player.saw('KEY|1');
    await clock.advance(20);
    player.saw('X_EVENT_STOP|0');
    player.saw('X_EVENT_STOP|0');
    await clock.advance(20);
    expect(issued).toEqual(['A', 'B', 'A', 'B', 'C']);
  });
});

describe('the plugin of a simulated avatar', () => {
  function plugin(voices: string[] = ['mei']) {
    const clock = new FakeClock(0);
    const said: string[] = [];
    const spoken: PluginSpeech[] = [];
    const subject = new SynthPlugin(
      clock,
      { voices, characterMs: 100 },
      {
        hasModel: (alias) => alias === '0',
        say: (...messages) => said.push(...messages.map((message) => `${clock.nowMs()} ${message}`)),
        onSpeech: (speech) => spoken.push(speech),
      },
    );
    return { subject, clock, said, spoken };
  }

  it('tells start and end of what it speaks, and moves the lips of a model that is there', async () => {
    const { subject, clock, said } = plugin();
    subject.start('0', 'mei', 'hello');
    await clock.advance(1000);
    expect(said).toEqual([
      '22 SYNTH_EVENT_START|0',
      '22 LIPSYNC_START|0|a,500,pau,100',
      '22 LIPSYNC_EVENT_START|0',
      '567 SYNTH_EVENT_STOP|0',
    ]);
    said.length = 0;
    subject.start('nobody', 'mei', '...');
    await clock.advance(100);
    expect(said.map((line) => line.split(' ')[1])).toEqual([
      'SYNTH_EVENT_START|nobody',
      'SYNTH_EVENT_STOP|nobody',
    ]);
  });

  it('ends the first before it begins the second of an alias', async () => {
    const { subject, clock, said, spoken } = plugin();
    subject.start('0', 'mei', 'one two three');
    await clock.advance(200);
    subject.start('0', 'mei', 'four');
    await clock.advance(1000);
    expect(said.filter((line) => line.includes('SYNTH'))).toEqual([
      '22 SYNTH_EVENT_START|0',
      '350 SYNTH_EVENT_STOP|0',
      '350 SYNTH_EVENT_START|0',
      '795 SYNTH_EVENT_STOP|0',
    ]);
    expect(spoken.map(({ text, endsAtMs }) => [text, endsAtMs])).toEqual([
      ['one two three', 330],
      ['four', 775],
    ]);
  });

  it('says nothing of an unknown voice, which cuts what sounds, and nothing at all while it is off', async () => {
    const { subject, clock, said } = plugin();
    subject.start('0', 'mei', 'one two three');
    await clock.advance(200);
    subject.start('0', 'nobody', 'four');
    await clock.advance(1000);
    expect(said.at(-1)).toBe('350 SYNTH_EVENT_STOP|0');
    const before = said.length;
    subject.enable(false);
    subject.start('0', 'mei', 'five');
    subject.stop('0');
    await clock.advance(1000);
    expect(said.length).toBe(before);
  });
});
