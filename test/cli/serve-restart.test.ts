import { afterEach, describe, expect, it } from 'vitest';
import { SimulatedAvatar } from '../../src/simulator/index.js';
import { faultsOf, heardLast } from '../keeper/support/heard.js';
import { command, killCommands } from '../support/command.js';
import { until } from '../support/service-rig.js';
import { noise } from '../support/signals.js';
import { StreamClient } from '../support/stream-client.js';
import { wavOf } from '../support/wav.js';

let avatar: SimulatedAvatar | undefined;
afterEach(async () => {
  avatar?.leave();
  await killCommands();
});

const RAW = 's16le:16000:1';

describe('what clients have open when a restart is asked for', () => {
  it('goes on to its end, and whatever they begin next is to be asked for again', async () => {
    const run = command(['serve', '--port', '0', '--no-standby']);
    await run.says('listening on');
    const port = Number(run.json()[0]!['port']);
    avatar = new SimulatedAvatar({ url: `ws://127.0.0.1:${port}/chat`, audioOpenMs: 0 });
    await avatar.connect();
    await run.says('ready after');
    const pid = async (): Promise<number> => {
      const answer = await fetch(`http://127.0.0.1:${port}/api`, { headers: { connection: 'close' } });
      return ((await answer.json()) as { pid: number }).pid;
    };
    const before = await pid();

    const streamed = noise(192_000, 9000, 1);
    const stream = await StreamClient.open(port);
    stream.say({ type: 'start', format: RAW, label: 'streamed' });
    stream.sound(streamed.subarray(0, 176_000));
    await stream.next('state', 2);
    const idle = await StreamClient.open(port);
    const uploaded = noise(16_000, 9000, 2);
    const file = wavOf(uploaded);
    let rest!: () => void;
    const body = new ReadableStream({
      start: (controller) => {
        controller.enqueue(file.subarray(0, 10_000));
        rest = () => {
          controller.enqueue(file.subarray(10_000));
          controller.close();
        };
      },
    });
    const upload = fetch(`http://127.0.0.1:${port}/api/agents/default/speeches?wait=finished`, {
      method: 'POST',
      headers: { 'content-type': 'audio/wav' },
      body,
      duplex: 'half',
    });
    await until(async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/api/agents/default/speeches`);
      return ((await answer.json()) as { speeches: unknown[] }).speeches.length === 2;
    });

    run.child.kill('SIGHUP');
    await until(() => pid().then((now) => now !== before));
    // Both go on in the process where they began.
    stream.sound(streamed.subarray(176_000));
    stream.say({ type: 'end' });
    rest();
    // A new speech on an old socket is refused in words that tell what to do.
    idle.say({ type: 'start', format: RAW });
    expect(await idle.next('error')).toMatchObject({ error: { code: 'RESTARTING', retryable: true } });
    const idleClosed = idle.closed();
    // On a new one it waits its turn behind what the old process speaks.
    const last = noise(8_000, 9000, 3);
    const next = await StreamClient.open(port);
    next.say({ type: 'start', format: RAW, label: 'next' });
    next.sound(last);
    next.say({ type: 'end' });

    expect(await stream.next('ended')).toMatchObject({ how: 'completed', gaps: { bySource: 0 } });
    expect(await (await upload).json()).toMatchObject({ end: { how: 'completed' } });
    expect(await next.next('ended')).toMatchObject({ how: 'completed' });
    // Its old process ends, and tells so in the manner of WebSockets: going away (RFC 6455 section 7.4.1).
    expect(await idleClosed).toBe(1001);
    await until(() => heardLast(avatar!, last));
    const report = avatar.report();
    expect([report.alive, report.attempts, faultsOf(avatar)]).toEqual([true, 1, []]);
    expect(report.segments.map(({ receivedSamples }) => receivedSamples)).toEqual([192_000, 16_128, 8_192]);
    const heard = avatar.heard();
    const exact = (from: number, sound: Int16Array): boolean =>
      Buffer.from(heard.slice(from, from + sound.length).buffer).equals(Buffer.from(sound.buffer));
    expect([exact(0, streamed), exact(192_000, uploaded)]).toEqual([true, true]);
  });
});
