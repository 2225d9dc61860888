import { afterEach, describe, expect, it } from 'vitest';
import { type Bridge, createBridge } from '../../src/bridge.js';
import { attachService } from '../../src/service/service.js';

let bridge: Bridge;
afterEach(() => bridge.close());

describe('requests that come while the API is being put together', () => {
  it('wait, and are answered as any other, by the gate too', async () => {
    const token = 'a-token-of-this-test';
    bridge = await createBridge({ port: 0, token });
    const at = `http://127.0.0.1:${bridge.address.port}/api`;
    const status = async (headers: Record<string, string>): Promise<number> =>
      (await fetch(at, { headers: { connection: 'close', ...headers } })).status;
    let over = false;
    const asking = [{ authorization: `Bearer ${token}` }, {}].map(async (headers) => {
      const statuses: number[] = [];
      while (!over) statuses.push(await status(headers));
      return statuses;
    });
    // Before anybody answers requests at all, this is what they are told.
    expect(await status({})).toBe(404);
    await attachService(bridge);
    over = true;
    const [known, unknown] = await Promise.all(asking);
    expect(new Set(known!.filter((code) => code !== 404))).toEqual(new Set([200]));
    expect(new Set(unknown!.filter((code) => code !== 404))).toEqual(new Set([401]));
  });
});
