import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { inProject } from '../support/paths.js';
import { type ServiceRig, startService, until } from '../support/service-rig.js';
import { noise } from '../support/signals.js';
import { StreamClient } from '../support/stream-client.js';
import { wavOf } from '../support/wav.js';

let rig: ServiceRig;
afterEach(() => rig.close());

/** The samples of a scrape: `name{label="value"}` to its value. */
async function scrape(): Promise<Map<string, number>> {
  const { status, headers, text } = await rig.ask('GET', '/metrics');
  expect([status, headers['content-type']]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8']);
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const samples = lines.map((line) => /^(\S+|.*\}) (\S+)$/.exec(line)!);
  expect(new Set(samples.map(([, name]) => name)).size).toBe(samples.length);
  return new Map(samples.map(([, name, value]) => [name!, Number(value)]));
}

const of = (name: string, agent = 'default', more = ''): string =>
  `mmdagent_bridge_${name}{agent="${agent}"${more}}`;

const speak = (samples: number, query = '', agent = 'default'): ReturnType<ServiceRig['ask']> =>
  rig.ask('POST', `/api/agents/${agent}/speeches?wait=finished${query}`, {
    body: wavOf(noise(samples, 9000)),
  });

describe('the metrics', () => {
  it('count what was sent to the byte, and how speeches ended', async () => {
    rig = await startService({ leadMs: 500 });
    const avatar = await rig.avatar();
    await speak(10_240);
    await speak(1_000);
    await rig.ask('POST', '/api/agents/default/speeches?wait=finished', {
      body: wavOf(new Int16Array(0)),
    });
    await rig.ask('POST', '/api/agents/default/commands', { json: { commands: ['A|1', 'B|2'] } });
    await until(() => avatar.report().commands.at(-1)?.line === 'B|2');
    const { audioFrames, samplesReceived } = avatar.report();
    const metrics = await scrape();
    // 1,000 samples are padded to whole blocks of 256, in a frame of their own.
    expect(metrics.get(of('frames_total'))).toBe(audioFrames);
    expect(samplesReceived).toBe(10_240 + 1_024);
    expect(metrics.get(of('audio_seconds_total'))).toBe(11_264 / 16_000);
    expect(metrics.get(of('audio_bytes_total'))).toBe(audioFrames * 7 + 11_264 * 2);
    expect(metrics.get(of('speeches_total', 'default', ',how="completed"'))).toBe(2);
    expect(metrics.get(of('speeches_total', 'default', ',how="failed"'))).toBe(1);
    expect(metrics.get(of('connections_total'))).toBe(1);
    // The probe, the set-up and ours.
    expect(metrics.get(of('commands_total'))).toBeGreaterThanOrEqual(2);
    expect(metrics.get(of('messages_total'))).toBeGreaterThan(0);
    expect(metrics.get(of('ready'))).toBe(1);
    expect(metrics.get(of('lead_seconds'))).toBe(0.5);
    expect(metrics.get(of('held_seconds'))).toBe(0);
    expect(metrics.get(of('mark_round_trip_seconds', 'default', ',quantile="1"'))).toBeGreaterThan(0);
    expect(metrics.get('mmdagent_bridge_first_sound_seconds_count')).toBe(2);
    expect(metrics.get('mmdagent_bridge_speech_wait_seconds_count')).toBe(3);
    expect(metrics.get('mmdagent_bridge_wakeup_lateness_seconds_count')).toBeGreaterThan(3);
    expect(metrics.get('mmdagent_bridge_agents{state="ready"}')).toBe(1);
    expect(
      metrics.get(
        'mmdagent_bridge_http_responses_total{method="POST",route="/api/agents/:name/speeches",status="200"}',
      ),
    ).toBe(2);
    expect(metrics.get('nodejs_eventloop_lag_max_seconds')).toBeGreaterThanOrEqual(0);
    expect(metrics.get('process_cpu_seconds_total')).toBeGreaterThan(0);
  });

  it('tell gaps by their cause', async () => {
    rig = await startService();
    await rig.avatar();
    const upload = rig.open('POST', '/api/agents/default/speeches?format=s16le:16000:1');
    upload.on('error', () => undefined);
    upload.write(new Uint8Array(12_800));
    await until(() => rig.bridge.agent().sent.samples > 6000);
    await sleep(500);
    upload.end(new Uint8Array(12_800));
    await until(() => rig.bridge.agent().speeches.length === 0);
    const metrics = await scrape();
    expect(metrics.get(of('gaps_total', 'default', ',cause="source"'))).toBe(1);
    expect(metrics.get(of('gap_seconds_total', 'default', ',cause="source"'))).toBeGreaterThan(0.1);
  });

  it('count live sound that was dropped, in its turn and before it', async () => {
    rig = await startService();
    await rig.avatar();
    const dropped = async (): Promise<number> => (await scrape()).get(of('dropped_live_seconds_total')) ?? 0;
    const client = await StreamClient.open(rig.port);
    client.say({ type: 'start', format: 's16le:16000:1', live: true });
    client.sound(noise(16_000 * 4, 9000));
    await until(async () => (await dropped()) > 2);
    // While it still goes on, and no less when it has ended.
    const sofar = await dropped();
    client.say({ type: 'end' });
    const [{ droppedMs }] = [await client.next('ended')];
    expect(await dropped()).toBeCloseTo(droppedMs / 1000, 3);
    expect(droppedMs / 1000).toBeGreaterThanOrEqual(sofar - 0.001);
  });

  it('never count backwards when an avatar goes and comes again', async () => {
    rig = await startService();
    const first = await rig.avatar({ name: 'mei' });
    await speak(8_000, '', 'mei');
    const before = (await scrape()).get(of('frames_total', 'mei'))!;
    first.leave();
    await until(() => rig.bridge.findAgent('mei') === undefined);
    const between = await scrape();
    expect(between.get(of('frames_total', 'mei'))).toBe(before);
    expect(between.get(of('losses_total', 'mei'))).toBe(1);
    expect(between.has(of('ready', 'mei'))).toBe(false);
    await rig.avatar({ name: 'mei' });
    await speak(8_000, '', 'mei');
    expect((await scrape()).get(of('frames_total', 'mei'))).toBe(before * 2);
  });

  it('have a bound, whatever agents and callers call themselves', async () => {
    rig = await startService({}, { limits: { maxMeteredAgents: 2 } });
    for (const name of ['a', 'b', 'メイ', 'd']) await rig.avatar({ name });
    for (let i = 0; i < 30; i += 1) await rig.ask('GET', `/api/agents/nobody-${i}`);
    await speak(1_000, '', 'd');
    const names = [...(await scrape()).keys()];
    const agents = new Set(names.flatMap((name) => /agent="([^"]*)"/.exec(name)?.[1] ?? []));
    expect([...agents]).toEqual(['a', 'b', '(other)']);
    expect((await scrape()).get(of('connections_total', '(other)'))).toBe(2);
    expect((await scrape()).get(of('speeches_total', '(other)', ',how="completed"'))).toBe(1);
    expect(names.some((name) => name.includes('nobody'))).toBe(false);
  });

  it('are those that the dashboard draws', async () => {
    rig = await startService();
    await rig.avatar();
    await speak(1_000);
    const known = new Set([...(await scrape()).keys()].map((name) => name.replace(/\{.*$/, '')));
    const dashboard = JSON.parse(readFileSync(inProject('samples/grafana-dashboard.json'), 'utf8')) as {
      panels: { title: string; targets: { expr: string }[] }[];
      templating: { list: { query: string | { query: string } }[] };
    };
    const queries = dashboard.templating.list.flatMap(({ query }) =>
      typeof query === 'string' ? [] : [query.query.replace(/label_values\((\w+), \w+\)/, '$1')],
    );
    const expressions = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
    expect(expressions.length).toBeGreaterThan(20);
    const asked = [...queries, ...expressions].flatMap((expression) => {
      // What is left without labels, ranges, groupings and functions are the metrics.
      const bare = expression.replaceAll(
        /\{[^}]*\}|\[[^\]]*\]|\bby \([^)]*\)|\b\w+(?=\()|\b(sum|min)\b/g,
        ' ',
      );
      return bare.match(/[a-z]\w+/g) ?? [];
    });
    expect(asked.length).toBeGreaterThanOrEqual(expressions.length);
    expect(asked.filter((name) => !known.has(name))).toEqual([]);
  });

  it('belong to one service alone', async () => {
    rig = await startService();
    await rig.avatar();
    const other = await startService();
    try {
      await speak(1_000);
      const { text } = await other.ask('GET', '/metrics');
      expect(text).not.toContain('agent="default"');
      expect(text).toContain('mmdagent_bridge_first_sound_seconds_count 0');
    } finally {
      await other.close();
    }
  });
});
