import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { WebSocketServer } from 'ws';
import { CHROMIUM, startBrowser } from '../support/chromium.js';
import { startService } from '../support/service-rig.js';
import { wavFile } from '../support/wav.js';
import { sleep } from './now.js';
import { spread } from './statistics.js';
import type { Bench, Row } from './table.js';

const RATE_HZ = 48_000;
const CLICK_EVERY_MS = 500;
const LOUD = 8000;
/** A click that is found later than this is another one. */
const MAX_LATENCY_MS = CLICK_EVERY_MS - 50;
const FULL_MS = 30_000;
const QUICK_MS = 1500;

/** How long a sound takes from the browser's microphone to an avatar. */
export const browser: Bench = {
  name: 'browser',
  title:
    'Browser microphone to avatar: from the sample that the page gets until its frame is there, against a bare WebSocket',
  async run(quick) {
    if (!existsSync(CHROMIUM)) return `there is no ${CHROMIUM}`;
    const folder = await mkdtemp(join(tmpdir(), 'bench-browser-'));
    try {
      const microphone = join(folder, 'clicks.wav');
      await writeFile(microphone, clicks());
      return await measure(microphone, quick ? QUICK_MS : FULL_MS);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

async function measure(microphone: string, ms: number): Promise<Row[]> {
  const saidMs: number[] = [];
  const bareMs: number[] = [];
  const bare = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(bare, 'listening');
  bare.on('connection', (socket) =>
    socket.on('message', (data: Buffer, binary) => {
      if (binary) bareMs.push(wallMs());
      else saidMs.push(Number(data.toString()));
    }),
  );
  const rig = await startService();
  const chromium = await startBrowser(microphone);
  try {
    const avatar = await rig.avatar({ record: false });
    const avatarMs: number[] = [];
    avatar.on('audio', ({ samples }) => {
      if (samples.some((sample) => Math.abs(sample) > LOUD)) avatarMs.push(wallMs());
    });
    // The bare socket is of another origin, which the page's own policy forbids.
    const context = await chromium.newContext({ bypassCSP: true });
    await context.grantPermissions(['microphone'], { origin: `http://localhost:${rig.port}` });
    const page = await context.newPage();
    await listenIn(page, (bare.address() as AddressInfo).port);
    await page.goto(`http://localhost:${rig.port}/`);
    await page.locator('#stage-state.ready').waitFor();
    await page.locator('#live').click();
    await page.locator('#stage-state.speaking').waitFor();
    await sleep(1000);
    saidMs.length = 0;
    await sleep(ms);
    const heard = saidMs.filter((said) => wallMs() - said > MAX_LATENCY_MS);
    const ours = spread(latencies(heard, avatarMs));
    const theirs = spread(latencies(heard, bareMs));
    return [
      ...(['p50', 'p99'] as const).map((key) => ({
        what: key,
        figure: ours[key],
        unit: 'ms',
        baseline: { what: 'bare WebSocket', figure: theirs[key] },
      })),
      { what: 'added by the bridge, p50', figure: ours.p50 - theirs.p50, unit: 'ms' },
    ];
  } finally {
    await chromium.close();
    await rig.close();
    bare.close();
  }
}

/** Sends every chunk that holds a click to the bare socket too, and says when its click was in the microphone. */
function listenIn(page: Page, port: number): Promise<unknown> {
  return page.addInitScript(`(() => {
    const bare = new WebSocket('ws://127.0.0.1:${port}');
    const send = WebSocket.prototype.send;
    let rateHz = NaN;
    let last = -Infinity;
    WebSocket.prototype.send = function (data) {
      const nowMs = performance.timeOrigin + performance.now();
      send.call(this, data);
      if (typeof data === 'string') {
        const { format = '' } = JSON.parse(data);
        rateHz = Number(format.split(':')[1] ?? rateHz);
        return;
      }
      const at = data.findIndex((sample) => Math.abs(sample) > ${LOUD / 32_768});
      if (at < 0 || nowMs - last < 100) return;
      last = nowMs;
      send.call(bare, data);
      send.call(bare, String(nowMs - ((data.length - at) / rateHz) * 1000));
    };
  })()`);
}

/** Half a second with one click, which the browser's microphone hears over and over. */
function clicks(): Buffer {
  const samples = Int16Array.from({ length: (RATE_HZ * CLICK_EVERY_MS) / 1000 }, (_, i) =>
    i < 240 ? (i % 48 < 24 ? 20_000 : -20_000) : 0,
  );
  return wavFile({ data: new Uint8Array(samples.buffer), sampleRateHz: RATE_HZ });
}

function latencies(saidMs: readonly number[], foundMs: readonly number[]): number[] {
  return saidMs.flatMap((said) => {
    const found = foundMs.find((ms) => ms >= said);
    return found !== undefined && found - said < MAX_LATENCY_MS ? [found - said] : [];
  });
}

/** The clock that the page has too. */
function wallMs(): number {
  return performance.timeOrigin + performance.now();
}
