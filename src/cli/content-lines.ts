import type { ListenAddress } from '../transport/listener.js';

/** How often an avatar tries again, half a second apart, before it gives up for good: nearly fourteen hours. */
const RETRY_COUNT = 100_000;

/**
 * The lines of the avatar's content file (.mdf) that lead it to a service (protocol.md §1).
 * @param path where avatars connect
 */
export function contentLines({ host, port }: ListenAddress, path: string): string[] {
  return [
    `Plugin_Remote_Websocket_Host=${host}`,
    `Plugin_Remote_Websocket_Port=${port}`,
    `Plugin_Remote_Websocket_Directory=${path}`,
    `Plugin_Remote_RetryCount=${RETRY_COUNT}`,
  ];
}

/** What they mean, a line each. @param token avatars bring a token in their path */
export function contentHelp(path: string, token = false): string[] {
  return [
    'The first three say where the avatar finds this service; the last, that it tries again when the service is not',
    `there yet: without it, one refusal is the end. Several avatars: give each a Directory of its own, ${path}/NAME${token ? '?token=…' : ''}.`,
  ];
}
