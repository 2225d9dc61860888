import type { Door, DoorListener } from '../keeper/door.js';
import { listenError, type ListenAddress, type Listener } from './listener.js';
import type { AvatarRoute } from './websocket.js';

/** What a bridge behind a door has to do beside its connections. */
export type EntranceListener = Omit<DoorListener, 'fresh' | 'held'>;

/** Lets the connections that a keeper holds in: new ones as to a port, those of a process before as what they were. */
export function enterBy(door: Door, listener: Listener, avatars: AvatarRoute, rest: EntranceListener): void {
  door.enter({
    ...rest,
    fresh: (socket, lease) => listener.take(socket, lease),
    held: (socket, lease, state) => {
      if (state.stage === 'request') listener.takeAgain(socket, lease);
      else avatars.adopt(socket, lease, state);
    },
  });
}

/**
 * Has the keeper listen; one that listens already goes on where it does.
 * @returns where
 * @throws BridgeError as `Listener.listen`
 */
export async function listenBehind(door: Door, address: ListenAddress): Promise<ListenAddress> {
  try {
    return await door.listen(address);
  } catch (error) {
    throw listenError(error as NodeJS.ErrnoException, address);
  }
}
