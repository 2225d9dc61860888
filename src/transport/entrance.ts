import type { Door, DoorListener } from '../keeper/door.js';
import type { Listener } from './listener.js';
import type { AvatarRoute } from './websocket.js';

/** What a bridge behind a door has to do beside its connections. */
export type EntranceListener = Pick<DoorListener, 'retire' | 'stop' | 'orphaned' | 'relayed'>;

/** Lets the connections that a keeper holds in: new ones as to a port, those of a process before as what they were. */
export function enterBy(door: Door, listener: Listener, avatars: AvatarRoute, rest: EntranceListener): void {
  door.enter({
    ...rest,
    fresh: (socket, lease) => listener.take(socket, lease),
    held: (socket, lease, state) => avatars.adopt(socket, lease, state),
  });
}
