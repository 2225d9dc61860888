import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A web server on loopback that a test answers with. */
export interface TestServer {
  readonly origin: string;
  readonly port: number;
  /** The paths asked for so far, with their query. */
  readonly asked: string[];
  close(): Promise<void>;
}

/** @param host an address of the loopback network */
export async function startHttp(answer: RequestListener, host = '127.0.0.1', port = 0): Promise<TestServer> {
  const asked: string[] = [];
  const server: Server = createServer((request, response) => {
    asked.push(request.url ?? '');
    answer(request, response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address() as AddressInfo;
  return {
    origin: `http://${host}:${address.port}`,
    port: address.port,
    asked,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
