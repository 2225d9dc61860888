import type { ListenAddress } from '../transport/listener.js';
import type { TcpEntrance } from '../transport/tcp.js';

/** Number of an avatar's retries, half a second apart, before it gives up: nearly fourteen hours. */
const RETRY_COUNT = 100_000;

/**
 * Returns the lines of the avatar's content file (.mdf) that connect it to a service (protocol.md §1).
 * @param path path of the avatars
 */
export function contentLines({ host, port }: ListenAddress, path: string): string[] {
  return [
    `Plugin_Remote_Websocket_Host=${host}`,
    `Plugin_Remote_Websocket_Port=${port}`,
    `Plugin_Remote_Websocket_Directory=${path}`,
    `Plugin_Remote_RetryCount=${RETRY_COUNT}`,
  ];
}

/** Returns an explanation of each line. @param token true when avatars send a token in their path */
export function contentHelp(path: string, token = false): string[] {
  return [
    'The first three say where the avatar finds this service; the last, that it tries again when the service is not',
    `there yet: without it, one refusal is the end. Several avatars: give each a Directory of its own, ${path}/NAME${token ? '?token=…' : ''}.`,
  ];
}

/**
 * Returns the lines of the content file (.mdf) of an avatar over plain TCP (protocol.md §6).
 * @param host name of this machine on the network
 */
export function tcpContentLines({ kind, port }: TcpEntrance, host: string): string[] {
  if (kind === 'connect') return ['Plugin_Remote_EnableServer=true', `Plugin_Remote_ListenPort=${port}`];
  return [
    'Plugin_Remote_EnableClient=true',
    `Plugin_Remote_Hostname=${host}`,
    `Plugin_Remote_Port=${port}`,
    `Plugin_Remote_RetryCount=${RETRY_COUNT}`,
  ];
}
