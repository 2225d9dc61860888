import { BridgeError } from '../base/errors.js';

/** Where programs are that take the bridge for an avatar. */
export type RelayAddress =
  | { readonly kind: 'websocket'; readonly url: string; readonly agent: string | undefined }
  | {
      readonly kind: 'tcp' | 'listen';
      readonly host: string;
      readonly port: number;
      readonly agent: string | undefined;
    };

const NAMED = /^(.*?)(?:=([\p{L}\p{N}._-]{1,64}))?$/u;

/**
 * Reads `ws://HOST:PORT/PATH[=NAME]` or `tcp://HOST:PORT[=NAME]`.
 * @throws BridgeError OPTION_INVALID
 */
export function parseRelay(text: string): RelayAddress {
  // A query of its own (`?token=x`) is a part of the address: a name follows it after another `=`.
  const [, query = '', rest = text] = /^([^?]*\?[^=]*=)(.*)$/.exec(text) ?? [];
  const [, address = '', agent] = NAMED.exec(rest)!;
  const url = URL.canParse(query + address) ? new URL(query + address) : undefined;
  if (url && (url.protocol === 'ws:' || url.protocol === 'wss:')) {
    return { kind: 'websocket', url: url.href, agent };
  }
  if (url?.protocol === 'tcp:' && url.port !== '') {
    return { kind: 'tcp', host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port), agent };
  }
  throw new BridgeError(
    'OPTION_INVALID',
    `--relay cannot be ${JSON.stringify(text)}: it takes ws://HOST:PORT/PATH or tcp://HOST:PORT, with =NAME behind it for one agent.`,
  );
}

/** Reads `[HOST:]PORT[=NAME]`. @throws BridgeError OPTION_INVALID */
export function parseRelayListen(text: string): RelayAddress {
  const match = /^(?:(?:\[([\da-f:]+)\]|([^:=[\]]+)):)?(\d{1,5})(?:=([\p{L}\p{N}._-]{1,64}))?$/iu.exec(text);
  const port = Number(match?.[3]);
  if (!match || port > 65_535) {
    throw new BridgeError(
      'OPTION_INVALID',
      `--relay-listen cannot be ${JSON.stringify(text)}: it takes PORT or HOST:PORT, with =NAME behind it for one agent.`,
    );
  }
  return { kind: 'listen', host: match[1] ?? match[2] ?? '127.0.0.1', port, agent: match[4] };
}
