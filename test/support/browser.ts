import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { onTestFinished } from 'vitest';
import type { SimulatedAvatar } from '../../src/simulator/index.js';
import { CHROMIUM } from './chromium.js';
import { describeWith } from './needs.js';
import { type ServiceRig, startService } from './service-rig.js';

/** A `describe` for tests that need a browser; see {@link describeWith}. */
export const describeInBrowser = (name: string, tests: () => void): Promise<void> =>
  describeWith([CHROMIUM], name, tests);

/** A service with one avatar that can speak, ended with the test. */
export async function startWithAvatar(): Promise<{ rig: ServiceRig; avatar: SimulatedAvatar }> {
  const rig = await startService();
  onTestFinished(() => rig.close());
  return { rig, avatar: await rig.avatar() };
}

/** A page of the console, with what went wrong in it. */
export interface ConsolePage {
  readonly page: Page;
  /** Errors of scripts, refused loads and everything written to the browser's console as an error. */
  readonly errors: string[];
  /** Writes a picture of it: see `shoot`. */
  shot(name: string): Promise<void>;
}

type ConsoleOptions = BrowserContextOptions & { microphone?: boolean };

/** Pages that no test uses now, by browser and options: a new one takes a second, and every service is its own origin. */
const idle = new WeakMap<Browser, Map<string, Page[]>>();

/** Opens the console, with nothing in its storage, until the test ends. */
export async function openConsole(
  browser: Browser,
  port: number,
  options: ConsoleOptions = {},
): Promise<ConsolePage> {
  const pages = idle.get(browser) ?? new Map<string, Page[]>();
  idle.set(browser, pages);
  const key = JSON.stringify(options);
  const page = pages.get(key)?.pop() ?? (await newPage(browser, options));
  onTestFinished(async ({ task }) => {
    if (task.result?.state === 'fail') return page.context().close();
    page.removeAllListeners();
    await page.goto('about:blank');
    pages.set(key, [...(pages.get(key) ?? []), page]);
  });
  // What is not granted is refused, without a question that nobody would answer.
  const granted = options.microphone === true ? ['microphone'] : [];
  await page.context().grantPermissions(granted, { origin: `http://localhost:${port}` });

  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(`${message.text()} (${message.location().url})`);
  });
  await page.goto(`http://localhost:${port}/`);
  await page.locator('#link.live').waitFor();
  return { page, errors, shot: (name) => shoot(page, name) };
}

async function newPage(browser: Browser, { microphone: _, ...options }: ConsoleOptions): Promise<Page> {
  const context = await browser.newContext({
    locale: 'en-GB',
    viewport: { width: 1360, height: 860 },
    ...options,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  return page;
}

/** Writes a picture of a page where SCREENSHOTS says, for eyes; nowhere without it. */
export async function shoot(page: Page, name: string): Promise<void> {
  const folder = process.env['SCREENSHOTS'];
  if (folder === undefined) return;
  await mkdir(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`) });
}

/** Drops files onto the page as a hand with a mouse does. */
export async function dropFiles(
  page: Page,
  files: readonly { name: string; bytes: Buffer }[],
): Promise<void> {
  const given = files.map(({ name, bytes }) => ({ name, base64: bytes.toString('base64') }));
  // As text: it runs in the page, whose names these tests do not have.
  const transfer = await page.evaluateHandle(`(() => {
    const data = new DataTransfer();
    for (const { name, base64 } of ${JSON.stringify(given)}) {
      const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      data.items.add(new File([bytes], name, { type: 'audio/wav' }));
    }
    return data;
  })()`);
  for (const type of ['dragenter', 'dragover', 'drop']) {
    await page.dispatchEvent('#board', type, { dataTransfer: transfer });
  }
}
