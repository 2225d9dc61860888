import { connect } from 'node:net';

/**
 * Says something to a port as it stands, where a client would tidy it up first.
 * @returns all that comes back until the other side closes, upgrades, or says nothing for a while
 */
export function sayRaw(port: number, text: string, quietMs = 3000): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1');
    const settle = (): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setEncoding('latin1').on('data', (chunk) => {
      answer += chunk as unknown as string;
      // A WebSocket that has opened says no more of its own, or no end of it.
      if (answer.startsWith('HTTP/1.1 101') && answer.includes('\r\n\r\n')) settle();
    });
    socket.setTimeout(quietMs, settle);
    socket.on('end', settle).on('error', reject);
    socket.write(text, 'latin1');
  });
}

/** A whole request for a path as it stands. @param headers lines beside Host */
export function rawGet(port: number, path: string, headers: readonly string[] = []): Promise<string> {
  const lines = [`GET ${path} HTTP/1.1`, 'Host: localhost', 'Connection: close', ...headers];
  return sayRaw(port, `${lines.join('\r\n')}\r\n\r\n`);
}

/** A request for a WebSocket. @param headers replace and add to those of a program */
export function rawUpgrade(
  port: number,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<string> {
  const all = {
    Host: 'localhost',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  return sayRaw(port, `GET ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
}

/** The status of a raw answer. */
export function statusOf(answer: string): number {
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1]);
}
