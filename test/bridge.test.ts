import { connect } from 'node:net';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { createConverter } from '../src/audio/convert.js';
import { createBridge } from '../src/bridge.js';
import { fileSound } from '../src/source/file.js';
import { expectHeard, joinAvatar, next, startBridge, until } from './support/bridge-rig.js';
import { inProject } from './support/paths.js';
import { ramp } from './support/speech-rig.js';

const rate = { sampleRateHz: 16_000 };

async function convertFile(path: string): Promise<Int16Array> {
  const converter = await createConverter();
  const parts: number[] = [];
  const context = { signal: new AbortController().signal, info: () => undefined, warn: () => undefined };
  for await (const block of fileSound(path).open(context))
    for (const s of converter.push(block)) parts.push(s);
  for (const s of converter.flush()) parts.push(s);
  converter.close();
  return Int16Array.from(parts);
}

describe('a file, the whole way', () => {
  it('is heard to the sample by the avatar, which finds no rule broken', async () => {
    const bridge = await startBridge();
    const avatar = await joinAvatar(bridge);
    const speech = bridge
      .agent()
      .speak(inProject('samples/hello.wav'), { cues: [{ atMs: 500, send: 'HELLO|世界' }] });
    const end = await speech.finished;
    // That no gap comes is held on a clock in hand; here a stall of the machine itself must not matter.
    expect(end).toMatchObject({ how: 'completed', cuesSent: 1 });
    const report = avatar.report();
    expect(report.faults).toEqual([]);
    expect(report.alive).toBe(true);
    expect(report.samplesHeld).toBe(0);
    const expected = await convertFile(inProject('samples/hello.wav'));
    expectHeard(avatar, expected);
    expect(report.commands.map(({ line }) => line)).toContain('HELLO|世界');
    // The bound itself is held on a clock in hand; here only that nothing was sent in one burst.
    expect(report.maxHeldMs).toBeLessThan(1000);
  });
});

describe('an avatar that comes', () => {
  it('is set up once, in order: probe, external control, model, file mode', async () => {
    const bridge = await startBridge();
    const avatar = await joinAvatar(bridge);
    // By the bridge's side of the upgrade: on a busy machine the avatar notices it late.
    let firstAfterMs: number | undefined;
    avatar.on('command', () => (firstAfterMs ??= bridge.agent().snapshot().connectedMs));
    for (let i = 0; i < 2; i += 1) {
      await bridge.agent().speak(ramp(1600), rate).finished;
    }
    const lines = avatar.report().commands.map(({ line }) => line);
    const setup = lines.filter((line) => !line.startsWith('LIPSYNC_START|0|sil,10'));
    expect(setup).toEqual(['__AV_START', '__AV_SETMODEL,0']);
    expect(firstAfterMs).toBeGreaterThanOrEqual(50);
    expect(avatar.report().faults).toEqual([]);
  });

  it('is waited for by a speech that was asked for before it was there', async () => {
    const bridge = await startBridge();
    const speech = bridge.agent().speak(ramp(8000), rate);
    const waits: string[] = [];
    speech.on('waiting', (message) => waits.push(message));
    await new Promise((resolve) => setTimeout(resolve, 100));
    const avatar = await joinAvatar(bridge);
    expect((await speech.finished).how).toBe('completed');
    expect(waits[0]).toBe('No avatar is connected; waiting for default.');
    expectHeard(avatar, ramp(8000));
  });

  it('that does not come in time fails the speech with what to do', async () => {
    const bridge = await startBridge({ agentTimeoutMs: 100 });
    const end = await bridge.agent().speak(ramp(1600), rate).finished;
    expect(end.error).toMatchObject({ code: 'AGENT_ABSENT' });
    expect(end.error!.message).toBe('Agent default did not connect within 100 ms.');
  });

  it('whose model never comes fails the speech and names the alias; a model that comes late is noticed', async () => {
    const bridge = await startBridge({ readyTimeoutMs: 200, model: 'mei' });
    const avatar = await joinAvatar(bridge, { modelAlias: 'mei', readyAfterMs: 800 });
    const end = await bridge.agent().speak(ramp(1600), rate).finished;
    expect(end.error).toMatchObject({ code: 'MODEL_NOT_READY' });
    expect(end.error!.message).toContain('mei');
    await until(() => avatar.state === 'ready', 'the model');
    const again = await bridge.agent().speak(ramp(1600), rate).finished;
    expect(again.how).toBe('completed');
  });

  it('under a used name gets a number, and under a name of its own that name', async () => {
    const bridge = await startBridge();
    await joinAvatar(bridge);
    await joinAvatar(bridge);
    await joinAvatar(bridge, { name: '初音' });
    expect(bridge.agents().map(({ name }) => name)).toEqual(['default', 'default-2', '初音']);
  });

  it('side by side with others hears its own sound and no other', async () => {
    const bridge = await startBridge();
    const avatars = await Promise.all(['a', 'b', 'c'].map((name) => joinAvatar(bridge, { name })));
    const ends = await Promise.all(
      ['a', 'b', 'c'].map((name, i) => bridge.agent(name).speak(ramp(16_000, 1 + i * 9000), rate).finished),
    );
    expect(ends.map(({ how }) => how)).toEqual(['completed', 'completed', 'completed']);
    avatars.forEach((avatar, i) => {
      expectHeard(avatar, ramp(16_000, 1 + i * 9000));
    });
  });
});

describe('an avatar that vanishes', () => {
  it('in mid-speech ends the speech with that reason; the next one of its name works', async () => {
    const bridge = await startBridge();
    const avatar = await joinAvatar(bridge, { faults: { dieAfterSamples: 16_000 } });
    const end = await bridge.agent().speak(ramp(64_000), rate).finished;
    expect(end).toMatchObject({ how: 'avatar-lost', error: { code: 'AGENT_LOST' } });
    expect(end.heardMs).toBeGreaterThan(500);
    expect(end.heardMs).toBeLessThan(1100);
    expect(avatar.report().alive).toBe(false);
    const second = await joinAvatar(bridge);
    expect((await bridge.agent().speak(ramp(8000), rate).finished).how).toBe('completed');
    expectHeard(second, ramp(8000));
  });

  it('can be resumed on the next one from what was heard', async () => {
    const bridge = await startBridge();
    await joinAvatar(bridge, { faults: { dieAfterSamples: 16_000 } });
    const speech = bridge.agent().speak(ramp(32_000), { ...rate, onAgentLost: 'resume' });
    await next(bridge.agent(), 'lost');
    const second = await joinAvatar(bridge);
    const end = await speech.finished;
    expect(end).toMatchObject({ how: 'completed', heardMs: 2000 });
    // Both together heard at least all of it.
    expect(second.heard().length).toBeGreaterThan(14_000);
    expect(second.report().faults).toEqual([]);
  });

  it('while it is being set up does not end the wait of a speech', async () => {
    const bridge = await startBridge();
    const speech = bridge.agent().speak(ramp(4000), rate);
    await joinAvatar(bridge, { readyAfterMs: 5000, faults: { dieAfterMs: 150 } });
    await next(bridge.agent(), 'lost');
    await joinAvatar(bridge);
    expect((await speech.finished).how).toBe('completed');
  });
});

describe('an avatar that stops reading', () => {
  it('is noticed within about a second, gets nothing more, and hears every sample once it is back', async () => {
    const bridge = await startBridge();
    const avatar = await joinAvatar(bridge);
    const samples = ramp(48_000);
    const speech = bridge.agent().speak(samples, rate);
    await until(() => speech.positionMs > 500, 'half a second of sound');
    const stoppedAt = performance.now();
    avatar.stopReading();
    expect(await next(bridge.agent(), 'stalled')).toBe(true);
    expect(performance.now() - stoppedAt).toBeLessThan(5000);
    const held = bridge.agent().snapshot();
    expect(held.stalled).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 500));
    avatar.resumeReading();
    expect(await next(bridge.agent(), 'stalled')).toBe(false);
    expect((await speech.finished).how).toBe('completed');
    expect(avatar.report().faults).toEqual([]);
    expectHeard(avatar, samples);
  });
});

describe('commands', () => {
  it('reach the avatar exactly, in order, between the frames, and its echoes come back', async () => {
    const bridge = await startBridge({ leadMs: 1000 });
    const avatar = await joinAvatar(bridge);
    const agent = bridge.agent();
    await agent.whenReady();
    const speech = agent.speak(ramp(24_000), rate);
    const lines = Array.from({ length: 300 }, (_, i) => `VALUE_SET|v${i}|絵文字🙂`);
    const echoed: string[] = [];
    agent.on('message', ({ text }) => {
      if (text.startsWith('VALUE_SET')) echoed.push(text);
    });
    await Promise.all(lines.map((line) => agent.send(line)));
    expect((await speech.finished).how).toBe('completed');
    await until(() => echoed.length === lines.length, 'the echoes');
    expect(echoed).toEqual(lines);
    // The simulator shares this process: its playback is late when the process stands still.
    await until(() => avatar.report().samplesHeld === 0, 'the avatar has played what it holds');
    expectHeard(avatar, ramp(24_000));
  });

  it('are answered', async () => {
    const bridge = await startBridge();
    await joinAvatar(bridge);
    const agent = bridge.agent();
    await agent.whenReady();
    const answer = await agent.request('VALUE_SET|x|1');
    expect(answer.text).toBe('VALUE_EVENT_SET|x');
    await expect(agent.request('MODEL_DELETE|nosuch', { timeoutMs: 100 })).rejects.toMatchObject({
      code: 'TIMEOUT',
    });
  });

  it('are refused with the rule they break, and when nobody is there', async () => {
    const bridge = await startBridge();
    const agent = bridge.agent();
    await expect(agent.send('MOTION_ADD|0|bye|bye.vmd')).rejects.toMatchObject({ code: 'AGENT_ABSENT' });
    await joinAvatar(bridge);
    await expect(agent.send('A\nB')).rejects.toMatchObject({ code: 'COMMAND_INVALID' });
    await expect(agent.send('SNDFOO|x')).rejects.toMatchObject({ code: 'COMMAND_INVALID' });
    await expect(agent.send(`A|${'x'.repeat(2001)}`)).rejects.toMatchObject({ code: 'COMMAND_INVALID' });
    await expect(agent.send('EXECUTE|rm')).rejects.toMatchObject({ code: 'COMMAND_DANGEROUS' });
  });
});

describe('a group', () => {
  it('speaks in step, each whole, from one reading of the sound', async () => {
    const bridge = await startBridge();
    const avatars = await Promise.all(['a', 'b', 'c'].map((name) => joinAvatar(bridge, { name })));
    const begun: number[] = [];
    const group = bridge.group();
    const speech = group.speak(ramp(16_000), rate);
    for (const one of speech.speeches) {
      one.on('state', (state) => {
        if (state === 'speaking') begun.push(performance.now());
      });
    }
    const ends = await speech.finished;
    expect([...ends.values()].map(({ how }) => how)).toEqual(['completed', 'completed', 'completed']);
    for (const avatar of avatars) expectHeard(avatar, ramp(16_000));
    expect(begun).toHaveLength(3);
  });

  it('is not held back by one that is not ready or vanishes', async () => {
    const bridge = await startBridge();
    const good = await joinAvatar(bridge, { name: 'good' });
    await joinAvatar(bridge, { name: 'late', readyAfterMs: 60_000 });
    await joinAvatar(bridge, { name: 'dying', faults: { dieAfterSamples: 8000 } });
    const speech = bridge.group().speak(ramp(24_000), { ...rate, patienceMs: 300 });
    const [first, late, dying] = speech.speeches;
    expect((await first!.finished).how).toBe('completed');
    expect((await dying!.finished).how).toBe('avatar-lost');
    void late!.stop();
    expect((await speech.finished).get('late')!.how).toBe('stopped');
    expectHeard(good, ramp(24_000));
  });

  it('sends a command to all', async () => {
    const bridge = await startBridge();
    const avatars = await Promise.all(['a', 'b'].map((name) => joinAvatar(bridge, { name })));
    await bridge.group(['a', 'b']).send('HELLO|all');
    await until(
      () => avatars.every((a) => a.report().commands.some(({ line }) => line === 'HELLO|all')),
      'the command',
    );
    expect(() => bridge.group([])).toThrow(/no agent/);
  });
});

describe('a speech stream', () => {
  it('speaks what is written, and holds back who writes too fast', async () => {
    const bridge = await startBridge();
    const avatar = await joinAvatar(bridge);
    await bridge.agent().whenReady();
    const samples = ramp(16_000 * 3);
    const bytes = Buffer.from(samples.buffer);
    const stream = bridge.agent().createSpeechStream({ format: 's16le:16000:1' });
    await pipeline(Readable.from([bytes.subarray(0, 7), bytes.subarray(7)]), stream);
    expect((await stream.speech.finished).how).toBe('completed');
    expectHeard(avatar, samples);
  });

  it('stops the speech when it is destroyed, and is destroyed when the speech is stopped', async () => {
    const bridge = await startBridge();
    await joinAvatar(bridge);
    const stream = bridge.agent().createSpeechStream({ format: 's16le:16000:1' });
    stream.on('error', () => undefined);
    stream.write(Buffer.alloc(64_000, 1));
    await stream.speech.started;
    stream.destroy();
    expect((await stream.speech.finished).how).toBe('stopped');
    const other = bridge.agent().createSpeechStream({ format: 's16le:16000:1' });
    const failed = once(other, 'error');
    other.write(Buffer.alloc(64_000, 1));
    await other.speech.started;
    void other.speech.stop();
    expect(((await failed)[0] as { code: string }).code).toBe('SPEECH_STOPPED');
  });
});

describe('the listener', () => {
  it('refuses a path that is not the avatars’, and says so', async () => {
    const bridge = await startBridge();
    const refused = new Promise<{ path: string }>((resolve) => bridge.on('refused', resolve));
    const socket = new WebSocket(`ws://127.0.0.1:${bridge.address.port}/chta`);
    const [error] = (await once(socket, 'error')) as [Error];
    expect(error.message).toContain('404');
    expect((await refused).path).toBe('/chta');
  });

  it('refuses a web page that poses as an avatar', async () => {
    const bridge = await startBridge();
    const socket = new WebSocket(`ws://127.0.0.1:${bridge.address.port}/chat`, {
      origin: 'https://evil.example',
    });
    const [error] = (await once(socket, 'error')) as [Error];
    expect(error.message).toContain('403');
  });

  it('names a port that is in use and a host that is not ours', async () => {
    const bridge = await startBridge();
    await expect(createBridge({ port: bridge.address.port })).rejects.toMatchObject({ code: 'PORT_IN_USE' });
    await expect(createBridge({ port: 0, host: '203.0.113.7' })).rejects.toMatchObject({
      code: 'HOST_INVALID',
    });
    await expect(createBridge({ leadMs: -5 })).rejects.toMatchObject({ code: 'OPTION_INVALID' });
    await expect(createBridge({ leedMs: 5 } as object)).rejects.toMatchObject({ code: 'OPTION_INVALID' });
  });

  it('survives garbage and half a request', async () => {
    const bridge = await startBridge();
    for (const bytes of [
      '\x00\x01garbage\r\n\r\n',
      'GET /chat HTTP/1.1\r\nUpgrade: websocket\r\n',
      'GET //[ HTTP/1.1\r\n',
    ]) {
      const socket = connect(bridge.address.port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.write(bytes);
      await new Promise((resolve) => setTimeout(resolve, 20));
      socket.destroy();
    }
    await joinAvatar(bridge);
    expect((await bridge.agent().speak(ramp(1600), rate).finished).how).toBe('completed');
  });

  it('never sends a CLOSE frame: at the end the connection just goes', async () => {
    const bridge = await createBridge({ port: 0 });
    const avatar = await joinAvatar(bridge);
    await bridge.agent().whenReady();
    await bridge.close();
    await until(() => !avatar.report().alive, 'the end');
    expect(avatar.report().faults).toEqual([]);
  });

  it('ends speeches when it closes, and closes twice as once', async () => {
    const bridge = await createBridge({ port: 0 });
    await joinAvatar(bridge);
    const speech = bridge.agent().speak(ramp(64_000), rate);
    await speech.started;
    await Promise.all([bridge.close(), bridge.close()]);
    expect((await speech.finished).how).toBe('stopped');
    expect(() => bridge.agent().speak(ramp(100), rate)).toThrow(/closed/);
  });
});
