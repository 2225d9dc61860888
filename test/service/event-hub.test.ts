import { describe, expect, it } from 'vitest';
import { EventHub, type KeptEvent } from '../../src/service/event-hub.js';
import { handOverEvents } from '../../src/service/hand-over.js';
import { Emitter } from '../../src/base/emitter.js';
import type { Handover, HandoverEvents, Word } from '../../src/transport/handover.js';

/** As a client that is no avatar makes one. */
const large = (at: number): Parameters<EventHub['publish']>[0] => ({
  type: 'message',
  time: '2026-11-28T12:00:00.000Z',
  agent: 'default',
  text: `${at}${'\u0001'.repeat(2000)}`,
  truncated: true,
});

describe('the events that are kept', () => {
  it('are bounded by their length, not only by their number', () => {
    const hub = new EventHub({ keptEvents: 100_000, firstId: 0 });
    for (let i = 0; i < 2000; i += 1) hub.publish(large(i));
    const units = hub.kept.reduce((sum, { text }) => sum + text.length, 0);
    expect(units).toBeLessThanOrEqual(2_000_000);
    expect(units).toBeGreaterThan(1_900_000);
    expect(hub.kept.at(-1)!.id).toBe(2000);
    const next = new EventHub({ keptEvents: 100_000, firstId: 0 });
    next.inherit(hub.kept);
    for (let i = 0; i < 10; i += 1) next.publish(large(i));
    expect(next.kept.reduce((sum, { text }) => sum + text.length, 0)).toBeLessThanOrEqual(2_000_000);
  });

  it('go to the next process in messages of bounded length, all of them', () => {
    const hub = new EventHub({ keptEvents: 1000, firstId: 0 });
    for (let i = 0; i < 500; i += 1) hub.publish(large(i));
    const words: Word[] = [];
    const events = new Emitter<HandoverEvents>();
    handOverEvents(hub, { events, tell: (word: Word) => words.push(word) } as unknown as Handover);
    events.emit('retire', undefined);
    expect(words.length).toBeGreaterThan(10);
    for (const word of words) expect(JSON.stringify(word).length).toBeLessThan(262_144);
    const told = words.flatMap((word) => (word.word === 'events' ? word.events : [])) as {
      kept: KeptEvent;
    }[];
    expect(told.map(({ kept }) => kept.id)).toEqual(hub.kept.map(({ id }) => id));
  });
});
