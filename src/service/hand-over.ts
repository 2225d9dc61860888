import type { Handover } from '../transport/handover.js';
import type { EventHub, KeptEvent } from './event-hub.js';
import type { ServiceEventJson } from './events.js';

/** Maximum text in one message to the next process, in UTF-16 units. */
const MAX_PART_UNITS = 32_768;

/** Message of a service to the next one: a stored event, or one that no follower has received yet. */
type Handed = { readonly kept: KeptEvent } | { readonly event: ServiceEventJson };

/**
 * Moves followers of events from one process to the next without losing an event: the next one gets the stored events
 * before any follower is sent there; later events of speeches that end here are sent from there.
 */
export function handOverEvents(hub: EventHub, handover: Handover): void {
  const tell = (events: readonly Handed[]): void => handover.tell({ word: 'events', events });
  let moved = false;
  let ended = (): void => undefined;
  handover.events.on('retire', () => {
    for (const part of parts(hub.kept)) tell(part.map((kept) => ({ kept })));
    ended = hub.onPublish((kept, event) => {
      if (!moved) tell([{ kept }]);
      // The next process receives events of other nodes itself.
      else if (hub.isOwn(event)) tell([{ event }]);
    });
  });
  handover.events.on('understood', () => {
    moved = true;
    hub.moveOn();
  });
  handover.events.on('resume', () => {
    moved = false;
    ended();
  });
  handover.events.on('events', (events) => {
    const handed = events as readonly Handed[];
    hub.inherit(handed.flatMap((one) => ('kept' in one ? [one.kept] : [])));
    for (const one of handed) if ('event' in one) hub.publish(one.event);
  });
}

/** Splits events into parts of limited length: messages between processes must be small. */
function* parts(events: readonly KeptEvent[]): Generator<KeptEvent[]> {
  let part: KeptEvent[] = [];
  let units = 0;
  for (const event of events) {
    if (units + event.text.length > MAX_PART_UNITS && part.length > 0) {
      yield part;
      part = [];
      units = 0;
    }
    part.push(event);
    units += event.text.length;
  }
  yield part;
}
