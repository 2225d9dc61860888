import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { rawUpgrade } from '../support/raw-http.js';
import { type ServiceRig, startService, until } from '../support/service-rig.js';
import { noise } from '../support/signals.js';
import { wavOf } from '../support/wav.js';

let rig: ServiceRig;
afterEach(() => rig.close());

describe('the signs of life', () => {
  it('are there without a token, without avatars, and tell nothing', async () => {
    rig = await startService({ token: 'a-token-of-32-letters-and-digits' });
    for (const path of ['/healthz', '/readyz']) {
      const { status, text, headers } = await rig.ask('GET', path);
      expect([status, text]).toEqual([200, '{"status":"ok"}']);
      expect(headers['cache-control']).toBe('no-store');
    }
  });

  it('say at the end that no more requests are taken, before they stop', async () => {
    rig = await startService({ leadMs: 1500 });
    const avatar = await rig.avatar();
    const upload = rig.open('POST', '/api/agents/default/speeches?wait=finished');
    const answered = once(upload, 'response');
    upload.end(wavOf(noise(16_000 * 4, 9000)));
    await until(() => avatar.remainingMs() > 1000);
    // What the avatar holds sounds to its end before the service is gone.
    const closed = rig.service.close();
    const stream = rawUpgrade(rig.port, '/api/agents/default/stream');
    const [live, ready, api] = await Promise.all(
      ['/healthz', '/readyz', '/api/agents'].map((path) => rig.ask('GET', path)),
    );
    expect([live!.status, ready!.status, api!.status]).toEqual([200, 503, 503]);
    expect(ready!.json).toMatchObject({ code: 'SERVICE_CLOSING', retryable: true });
    expect(await stream).toMatch(/^HTTP\/1\.1 503 [^]*"code":"SERVICE_CLOSING"/);
    await answered;
    await closed;
  });
});
