import type { KeeperClient, KeeperClientListener } from '../keeper/keeper-client.js';
import { listenError, type ListenAddress, type Listener } from './listener.js';
import type { AvatarRoute } from './websocket.js';

/** What a bridge behind a keeper client has to do beside its connections. */
export type EntranceListener = Omit<KeeperClientListener, 'fresh' | 'held'>;

/** Lets the connections that a keeper holds in: new ones as to a port, those of a process before as what they were. */
export function enterBy(
  keeperClient: KeeperClient,
  listener: Listener,
  avatars: AvatarRoute,
  rest: EntranceListener,
): void {
  keeperClient.enter({
    ...rest,
    fresh: (socket, heldSocket) => listener.take(socket, heldSocket),
    held: (socket, heldSocket, state) => {
      if (state.stage === 'request') listener.takeAgain(socket, heldSocket);
      else avatars.adopt(socket, heldSocket, state);
    },
  });
}

/**
 * Has the keeper listen; one that listens already goes on where it does.
 * @returns where
 * @throws BridgeError as `Listener.listen`
 */
export async function listenBehind(
  keeperClient: KeeperClient,
  address: ListenAddress,
): Promise<ListenAddress> {
  try {
    return await keeperClient.listen(address);
  } catch (error) {
    throw listenError(error as NodeJS.ErrnoException, address);
  }
}
