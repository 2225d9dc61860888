import { describe, expect, it } from 'vitest';
import { AvatarProgram, type ProgramOptions } from '../../src/simulator/program.js';
import { RuleLog } from '../../src/simulator/rules.js';
import { FakeClock } from '../support/fake-clock.js';
import { realAgentRecording } from '../support/recording.js';

function program(options: Partial<ProgramOptions> = {}) {
  const clock = new FakeClock();
  const startMs = clock.nowMs();
  const said: { text: string; atMs: number }[] = [];
  const ended: string[] = [];
  const log = new RuleLog();
  const subject = new AvatarProgram({
    clock,
    modelAlias: '0',
    readyAfterMs: 100,
    audioOpenMs: 0,
    allLog: false,
    echoMs: [30, 60],
    fileExists: (path) => !path.includes('nosuch'),
    random: () => 0.5,
    timeOfDay: () => new Date(2026, 0, 1, 21, 4),
    log,
    sinceUpgradeMs: () => clock.nowMs() - startMs,
    send: (message) => said.push({ text: message.toString(), atMs: clock.nowMs() - startMs }),
    content: [],
    synth: { voices: [] },
    onPluginSpeech: () => undefined,
    onReady: () => undefined,
    onEnd: (reason) => ended.push(reason),
    ...options,
  });
  return {
    subject,
    clock,
    said,
    ended,
    log,
    /** As if a message had come from the wire. */
    receive(line: string): void {
      subject.dataCame();
      subject.run(line);
    },
    /** What it said since the last call. */
    news: (): string[] => said.splice(0).map(({ text }) => text.replace(/\n$/, '')),
    async ready(): Promise<void> {
      subject.start();
      await clock.advance(200);
      said.length = 0;
    },
  };
}

describe('against the recording of the real program', () => {
  it('says the same, message for message, when it is sent the same', async () => {
    const recording = realAgentRecording();
    const { subject, clock, said, receive } = program({ readyAfterMs: 720 });
    const startMs = clock.nowMs();
    subject.start();
    for (const event of recording) {
      await clock.advance(event.ms - (clock.nowMs() - startMs));
      if (event.dir === 'to agent' && event.text?.startsWith('SND')) subject.dataCame();
      else if (event.dir === 'to agent' && event.text) receive(event.text.trimEnd());
      else if (event.dir === 'ping') subject.wireBusy();
    }
    await clock.advance(100);
    subject.stop();
    expect(clock.pendingTimers).toBe(0);

    const notTheTime = (text: string): boolean => !text.startsWith('CURRENT_TIME');
    const real = recording.flatMap(({ dir, text }) => (dir === 'from agent' && text ? [text] : []));
    const ours = said.map(({ text }) => text);
    expect(ours.filter(notTheTime).sort()).toEqual(real.filter(notTheTime).sort());

    // Echoes come in the order of the commands, within the measured time.
    const commands = recording.flatMap(({ dir, text, ms }) =>
      dir === 'to agent' && text && ms > 1_000 && !/^(__AV|SND)/.test(text) ? [{ text, ms }] : [],
    );
    expect(commands.length).toBeGreaterThan(25);
    for (const { text, ms } of commands) {
      const echo = said.find((message) => message.text === text && message.atMs > ms);
      expect(echo!.atMs - ms, text).toBeGreaterThanOrEqual(30);
      expect(echo!.atMs - ms, text).toBeLessThanOrEqual(60);
    }
    // The event of a command follows its echo.
    expect(ours.indexOf('VALUE_EVENT_GET|v|42\n')).toBe(ours.indexOf('VALUE_GET|v\n') + 1);
  });
});

describe('readiness', () => {
  it('answers every probe at once when the model is loaded, and the last of them stays', async () => {
    const { subject, clock, receive, news } = program();
    subject.start();
    expect(subject.ready).toBe(false);
    for (let i = 0; i < 2; i++) {
      receive('LIPSYNC_START|0|sil,10');
      await clock.advance(40);
    }
    expect(news()).toEqual([
      'PLUGIN_EVENT_ENABLE|Variables',
      'PLUGIN_EVENT_ENABLE|VIManager',
      'MODEL_ADD|0|gene/Gene.pmd|0,-13,0',
    ]);
    await clock.advance(40);
    expect(subject.ready).toBe(true);
    expect(news().slice(-6)).toEqual([
      'LIPSYNC_START|0|sil,10',
      'LIPSYNC_START|0|sil,10',
      'CURRENT_TIME|21|04',
      'LIPSYNC_EVENT_START|0',
      'LIPSYNC_EVENT_STOP|0',
      'LIPSYNC_EVENT_START|0',
    ]);
    await clock.advance(230);
    expect(news()).toEqual(['LIPSYNC_EVENT_STOP|0']);
  });

  it('never answers for an alias that it does not know', async () => {
    const { clock, receive, news, ready } = program({ modelAlias: 'mei' });
    await ready();
    receive('LIPSYNC_START|0|sil,10');
    await clock.advance(1_000);
    expect(news()).toEqual(['LIPSYNC_START|0|sil,10']);
    receive('LIPSYNC_START|mei|sil,10');
    await clock.advance(60);
    expect(news()).toContain('LIPSYNC_EVENT_START|mei');
  });

  it('is never ready when its model never comes', async () => {
    const { subject, clock, receive, news } = program({ readyAfterMs: Number.POSITIVE_INFINITY });
    subject.start();
    receive('LIPSYNC_START|0|sil,10');
    await clock.advance(10_000);
    expect(subject.ready).toBe(false);
    expect(news()).toHaveLength(3);
  });
});

describe('whose lips move', () => {
  it('is mute until a model is named and loaded', async () => {
    const { subject, clock, receive, ready } = program();
    expect(subject.muteReason).toBe('not-ready');
    await ready();
    expect(subject.muteReason).toBe('no-model');
    receive('__AV_SETMODEL,late');
    await clock.advance(100);
    expect(subject.muteReason).toBe('no-model');
    receive('MODEL_ADD|late|late.pmd');
    await clock.advance(100);
    expect(subject.muteReason).toBeUndefined();
  });

  it('faults a model that is named twice', async () => {
    const { receive, ready, log } = program();
    await ready();
    receive('__AV_SETMODEL,0');
    receive('__AV_SETMODEL,1');
    expect(log.counts()).toEqual({});
    receive('__AV_SETMODEL,1');
    expect(log.counts()).toEqual({ 'setmodel-repeated': 1 });
  });
});

describe('its messages', () => {
  it('echo what it is sent, except the words of the wire', async () => {
    const { clock, receive, news, ready, log } = program();
    await ready();
    for (const line of ['A|1', '__AV_START', '__AV_EXMORPH,smile=1', '__AV_MESSAGE,HELLO|世界', '__AV_END'])
      receive(line);
    await clock.advance(100);
    expect(news()).toEqual(['A|1', 'HELLO|世界', 'AVATAR|START', 'AVATAR|END']);
    receive('__AV_NOSUCH,1');
    expect(log.counts()).toEqual({ 'unknown-av-word': 1 });
  });

  it('keep the order of the commands, however their times fall', async () => {
    let calls = 0;
    const { clock, receive, news, ready } = program({ random: () => (calls++ % 2 === 0 ? 0.99 : 0) });
    await ready();
    const lines = Array.from({ length: 100 }, (_, i) => `C|${i}`);
    for (const line of lines) {
      receive(line);
      await clock.advance(3);
    }
    await clock.advance(200);
    expect(news()).toEqual(lines);
  });

  it('wait while anything comes in', async () => {
    const { subject, clock, receive, news, ready } = program();
    await ready();
    receive('A|1');
    for (let i = 0; i < 40; i++) {
      await clock.advance(5);
      subject.wireBusy();
    }
    expect(news()).toEqual([]);
    await clock.advance(10);
    expect(news()).toEqual(['A|1']);
  });

  it('are cut at 2,047 bytes, without the newline, even in the middle of a character', async () => {
    const { clock, receive, said, ready } = program({ send: (message) => sent.push(message) });
    const sent: Buffer[] = [];
    await ready();
    sent.length = 0;
    receive(`M|${'語'.repeat(700)}`);
    receive(`M|${'x'.repeat(2_044)}`);
    await clock.advance(100);
    expect(sent.map(({ length }) => length)).toEqual([2_047, 2_047]);
    expect(sent[0]!.toString().at(-1)).toBe('\uFFFD');
    expect(sent[1]!.at(-1)).toBe(0x0a);
    expect(said).toEqual([]);
  });

  it('tell of idleness 15 s after the last data, pings aside, and of its end', async () => {
    const { subject, clock, receive, news, ready } = program();
    await ready();
    receive('A|1');
    await clock.advance(14_000);
    subject.wireBusy();
    await clock.advance(990);
    expect(news()).toEqual(['A|1']);
    await clock.advance(20);
    expect(news()).toEqual(['AVATAR_EVENT_IDLE|START']);
    subject.dataCame();
    await clock.advance(20);
    expect(news()).toEqual(['AVATAR_EVENT_IDLE|STOP']);
    await clock.advance(15_000);
    expect(news()).toEqual(['CURRENT_TIME|21|04', 'AVATAR_EVENT_IDLE|START']);
  });
});

describe('what ends it', () => {
  it('is PLUGIN_DISABLE|Remote', async () => {
    const { clock, receive, ended, ready, log } = program();
    await ready();
    receive('PLUGIN_DISABLE|Remote');
    await clock.advance(100);
    expect(ended).toEqual(['PLUGIN_DISABLE|Remote']);
    expect(log.counts()).toEqual({ 'avatar-disabled': 1 });
  });

  it('is SPEAK_START with a file that is not there: it hangs for good', async () => {
    const { subject, clock, receive, news, ready, log } = program();
    await ready();
    receive('SPEAK_START|0|voice.wav');
    await clock.advance(60);
    expect(news()).toEqual(['SPEAK_START|0|voice.wav', 'SPEAK_EVENT_START|0']);
    receive('SPEAK_START|0|nosuch.wav');
    await clock.advance(60);
    receive('A|1');
    await clock.advance(60_000);
    expect(news()).not.toContain('A|1');
    expect(subject.ready).toBe(false);
    expect(log.counts()).toEqual({ 'speak-file-missing': 1 });
    expect(clock.pendingTimers).toBe(0);
  });
});
