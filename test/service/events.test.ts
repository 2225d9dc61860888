import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { EventHub, eventText, type Follower } from '../../src/service/event-hub.js';
import type { ServiceEventJson } from '../../src/service/events.js';
import { eventsOf, type SentEvent, type ServiceRig, startService, until } from '../support/service-rig.js';
import { sine } from '../support/signals.js';
import { wavOf } from '../support/wav.js';

const message = (agent: string, text: string): ServiceEventJson & { agent: string } => ({
  type: 'message',
  time: '2026-01-01T00:00:00.000Z',
  agent,
  text,
  truncated: false,
});

class Pen implements Follower {
  readonly agent: string | undefined;
  readonly texts: string[] = [];
  ended = false;
  dropped = false;
  full = false;

  constructor(agent?: string) {
    this.agent = agent;
  }

  catchUp(text: string): void {
    this.texts.push(text);
  }

  write(text: string): boolean {
    if (this.full) return false;
    this.texts.push(text);
    return true;
  }

  end(): void {
    this.ended = true;
  }

  drop(): void {
    this.dropped = true;
  }
}

describe('the event hub', () => {
  it('numbers events upwards and tells each to whom it concerns', () => {
    const hub = new EventHub({ keptEvents: 10, firstId: 100 });
    const [all, mei] = [new Pen(), new Pen('mei')];
    hub.follow(all);
    hub.follow(mei);
    hub.publish(message('default', 'one'));
    hub.publish(message('mei', 'two'));
    expect(all.texts).toEqual([
      eventText(message('default', 'one'), 101),
      eventText(message('mei', 'two'), 102),
    ]);
    expect(mei.texts).toEqual([eventText(message('mei', 'two'), 102)]);
  });

  it('tells a follower that comes back what it has missed, and what is lost', () => {
    const hub = new EventHub({ keptEvents: 3, firstId: 100 });
    for (let i = 1; i <= 5; i += 1) hub.publish(message('default', String(i)));
    const ids = (pen: Pen): string[] =>
      pen.texts.map((text) => /^id: (\d+)/.exec(text)?.[1] ?? /"count":(\w+)/.exec(text)![1]!);
    const backAt = (lastId: number): Pen => {
      const pen = new Pen();
      hub.follow(pen, { lastId });
      return pen;
    };
    expect(ids(backAt(105))).toEqual([]);
    expect(ids(backAt(103))).toEqual(['104', '105']);
    expect(ids(backAt(102))).toEqual(['103', '104', '105']);
    expect(ids(backAt(101))).toEqual(['1', '103', '104', '105']);
    // Of a run before, and of none at all.
    expect(ids(backAt(7))).toEqual(['null', '103', '104', '105']);
    expect(ids(backAt(900))).toEqual(['null']);
  });

  it('tells a follower that comes back only of the agents that it asks for', () => {
    const hub = new EventHub({ keptEvents: 10, firstId: 100 });
    for (const agent of ['default', 'mei', 'rin']) hub.publish(message(agent, 'x'));
    const pen = new Pen('mei,rin');
    hub.follow(pen, { lastId: 100 });
    expect(pen.texts).toEqual([eventText(message('mei', 'x'), 102), eventText(message('rin', 'x'), 103)]);
  });

  it('keeps what an earlier process kept, in its order before its own, and no more than it may', () => {
    const hub = new EventHub({ keptEvents: 4, firstId: 110 });
    hub.publish(message('default', 'own'));
    const earlier = [107, 105, 106, 108].map((id) => ({ id, agent: 'default', text: `id: ${id}\n` }));
    hub.inherit(earlier);
    expect(hub.kept.map(({ id }) => id)).toEqual([106, 107, 108, 111]);
    const pen = new Pen();
    hub.follow(pen, { lastId: 106 });
    expect(pen.texts.map((text) => /^id: (\d+)/.exec(text)?.[1])).toEqual(['107', '108', '111']);
  });

  it('drops a follower that does not read, counts it, and serves the others', () => {
    const hub = new EventHub({ keptEvents: 3, firstId: 0 });
    const [slow, good] = [new Pen(), new Pen()];
    hub.follow(slow);
    hub.follow(good);
    slow.full = true;
    hub.publish(message('default', 'one'));
    hub.heartbeat();
    expect([slow.dropped, good.dropped, hub.dropped, hub.size]).toEqual([true, false, 1, 1]);
    expect(good.texts).toEqual([eventText(message('default', 'one'), 1), ': alive\n\n']);
  });

  it('passes on without keeping what is soon stale', () => {
    const hub = new EventHub({ keptEvents: 3, firstId: 0 });
    const pen = new Pen();
    hub.follow(pen);
    hub.pass(message('default', 'now'));
    expect(pen.texts).toEqual([eventText(message('default', 'now'))]);
    const later = new Pen();
    hub.follow(later, { lastId: 0 });
    expect(later.texts).toEqual([]);
  });

  it('ends every follower with a last event, and those who come later', () => {
    const hub = new EventHub({ keptEvents: 3, firstId: 0 });
    const [pen, late] = [new Pen(), new Pen()];
    hub.follow(pen);
    hub.close();
    hub.follow(late);
    expect(pen.texts.at(-1)).toContain('event: closing');
    expect([pen.ended, late.ended, hub.size]).toEqual([true, true, 0]);
  });
});

describe('the stream of events', () => {
  let rig: ServiceRig;
  afterEach(() => rig.close());

  const follow = async (
    path: string,
    headers: Record<string, string> = {},
  ): Promise<{ seen: SentEvent[]; end: () => void; ended: Promise<void> }> => {
    const asked = rig.open('GET', path, { headers });
    asked.on('error', () => undefined);
    asked.end();
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    expect(response.statusCode).toBe(200);
    expect(response.headers['content-type']).toBe('text/event-stream');
    const seen: SentEvent[] = [];
    const ended = (async () => {
      for await (const event of eventsOf(response)) seen.push(event);
    })().catch(() => undefined);
    return { seen, end: () => asked.destroy(), ended };
  };

  it('begins with everything as it is, and tells an avatar’s life and speech in order', async () => {
    // All of the sound fits the lead: a stall of the machine makes no gap, and no news of one.
    rig = await startService({ leadMs: 1000 });
    const { seen } = await follow('/api/events');
    await until(() => seen.length > 0);
    expect(seen[0]).toMatchObject({ event: 'snapshot', data: { agents: [] } });
    const avatar = await rig.avatar();
    await rig.ask('POST', '/api/agents/default/speeches?wait=finished&label=hi.wav', {
      body: wavOf(sine(8000, 440, 9000)),
    });
    await rig.ask('POST', '/api/agents/default/commands', { json: { commands: ['KEYVALUE_SET|a|b'] } });
    await until(() => seen.some(({ data }) => data['text'] === 'KEYVALUE_SET|a|b'));
    avatar.leave();
    await until(() => seen.some(({ event }) => event === 'lost'));
    const types = seen.map(({ event }) => event).filter((type) => type !== 'message' && type !== 'position');
    expect(types).toEqual([
      'snapshot',
      'connected',
      'ready',
      'accepted',
      'state',
      'info',
      'state',
      'state',
      'ended',
      'lost',
    ]);
    const positions = seen.filter(({ event }) => event === 'position');
    expect(positions.length).toBeGreaterThan(2);
    expect(positions.every(({ id }) => id === undefined)).toBe(true);
    const ids = seen.flatMap(({ id }) => (id === undefined ? [] : [Number(id)]));
    expect(ids).toEqual([...ids].sort((a, b) => a - b));
    expect(seen.find(({ event }) => event === 'ended')?.data).toMatchObject({
      agent: 'default',
      label: 'hi.wav',
      how: 'completed',
      heardMs: 500,
    });
  });

  it('goes on where a follower left off', async () => {
    rig = await startService();
    await rig.avatar();
    const first = await follow('/api/events?agent=default');
    await rig.ask('POST', '/api/agents/default/commands', { json: { commands: ['A|1'] } });
    await until(() => first.seen.some(({ data }) => data['text'] === 'A|1'));
    const last = first.seen.findLast(({ id }) => id !== undefined)!.id!;
    first.end();
    await rig.ask('POST', '/api/agents/default/commands', { json: { commands: ['A|2', 'A|3'] } });
    await until(async () => (await rig.about()).followers === 0);
    const second = await follow('/api/events', { 'last-event-id': last });
    await until(() => second.seen.some(({ data }) => data['text'] === 'A|3'));
    // The avatar may still tell of its own readiness meanwhile.
    const texts = second.seen.map(({ data }) => String(data['text']));
    expect(texts.filter((text) => text.startsWith('A|'))).toEqual(['A|2', 'A|3']);
    expect(second.seen.filter(({ event }) => event === 'missed')).toEqual([]);
  });

  it('tells only of the agent that was asked for', async () => {
    rig = await startService();
    await rig.avatar();
    await rig.avatar({ name: 'mei' });
    const { seen } = await follow('/api/agents/mei/events');
    await rig.ask('POST', '/api/agents/default/commands', { json: { commands: ['A|1'] } });
    await rig.ask('POST', '/api/agents/mei/commands', { json: { commands: ['B|1'] } });
    await until(() => seen.some(({ data }) => data['text'] === 'B|1'));
    expect(seen[0]).toMatchObject({ event: 'snapshot', data: { agents: [{ name: 'mei' }] } });
    expect(seen.slice(1).every(({ data }) => data['agent'] === 'mei')).toBe(true);
  });

  it('shows that it lives while nothing happens', async () => {
    rig = await startService({}, { limits: { heartbeatMs: 50 } });
    const asked = rig.open('GET', '/api/events');
    asked.end();
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    let text = '';
    response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    await until(() => text.includes(': alive\n\n'));
    asked.destroy();
  });

  it('drops a follower that does not read, and says how many', async () => {
    rig = await startService();
    const asked = rig.open('GET', '/api/events');
    asked.on('error', () => undefined);
    asked.end();
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    response.on('error', () => undefined);
    response.pause();
    const good = await follow('/api/events');
    const talker = new WebSocket(`ws://127.0.0.1:${rig.port}/chat/talker`);
    await once(talker, 'open');
    const line = `LOG|${'x'.repeat(2000)}\n`;
    await until(async () => {
      for (let i = 0; i < 100; i += 1) talker.send(line);
      return rig.about().then(({ droppedFollowers }) => droppedFollowers === 1);
    });
    talker.terminate();
    expect((await rig.about()).followers).toBe(1);
    expect(good.seen.length).toBeGreaterThan(1);
    response.destroy();
  });

  it('is not dropped for the much that it has missed', async () => {
    rig = await startService({}, { limits: { maxFollowerBytes: 10_000 } });
    const talker = new WebSocket(`ws://127.0.0.1:${rig.port}/chat`);
    await once(talker, 'open');
    let heard = 0;
    rig.bridge.agent().on('message', () => (heard += 1));
    for (let i = 0; i < 300; i += 1) talker.send(`LOG|${'x'.repeat(1000)}|${i}\n`);
    await until(() => heard === 300);
    const { seen, end } = await follow('/api/events', { 'last-event-id': '1' });
    await until(() => seen.at(-1)?.event === 'snapshot');
    expect(seen.length).toBeGreaterThan(301);
    expect((await rig.about()).followers).toBe(1);
    end();
    talker.terminate();
  });

  it('is refused to more followers than there are slots for', async () => {
    rig = await startService({}, { limits: { maxFollowers: 2 } });
    const [one] = [await follow('/api/events'), await follow('/api/events')];
    const refused = await rig.ask('GET', '/api/events');
    expect([refused.status, refused.json['code']]).toEqual([429, 'FOLLOWER_LIMIT']);
    one.end();
    await until(async () => (await rig.about()).followers === 1);
    (await follow('/api/events')).end();
  });

  it('ends with a word when the service does', async () => {
    rig = await startService();
    const { seen, ended } = await follow('/api/events');
    await rig.service.close();
    await ended;
    expect(seen.at(-1)).toMatchObject({ event: 'closing' });
    expect((await rig.ask('GET', '/api')).status).toBe(503);
  });
});
