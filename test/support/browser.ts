import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { describe, onTestFinished } from 'vitest';
import type { SimulatedAvatar } from '../../src/simulator/index.js';
import { startService, type ServiceRig } from './service-rig.js';

const CHROMIUM = process.env['CHROMIUM'] ?? '/usr/bin/chromium';

/**
 * A `describe` for tests that need a browser. Where there is none they are skipped, and it is said why; with CI set they
 * fail there.
 */
export function describeInBrowser(name: string, tests: () => void): void {
  if (existsSync(CHROMIUM) || process.env['CI']) return void describe(name, tests);
  console.warn(`Skipped: ${name}. There is no Chromium at ${CHROMIUM}.`);
  describe.skip(`${name} (skipped: no ${CHROMIUM})`, tests);
}

/** A service with one avatar that can speak, ended with the test. */
export async function startWithAvatar(): Promise<{ rig: ServiceRig; avatar: SimulatedAvatar }> {
  const rig = await startService();
  onTestFinished(() => rig.close());
  return { rig, avatar: await rig.avatar() };
}

/** Starts a browser. @param microphoneWav a file that its microphone hears, over and over */
export function startBrowser(microphoneWav?: string): Promise<Browser> {
  return chromium.launch({
    executablePath: CHROMIUM,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--use-fake-device-for-media-stream',
      ...(microphoneWav === undefined ? [] : [`--use-file-for-fake-audio-capture=${microphoneWav}`]),
    ],
  });
}

/** A page of the console, with what went wrong in it. */
export interface ConsolePage {
  readonly page: Page;
  /** Errors of scripts, refused loads and everything written to the browser's console as an error. */
  readonly errors: string[];
  /** Writes a picture where SCREENSHOTS says, for eyes; nowhere without it. */
  shot(name: string): Promise<void>;
}

/** Opens the console in a profile of its own, closed when the test ends. */
export async function openConsole(
  browser: Browser,
  port: number,
  options: BrowserContextOptions & { microphone?: boolean } = {},
): Promise<ConsolePage> {
  const { microphone = false, ...rest } = options;
  const context = await browser.newContext({
    locale: 'en-GB',
    viewport: { width: 1360, height: 860 },
    ...rest,
  });
  onTestFinished(() => context.close());
  const origin = `http://localhost:${port}`;
  // What is not granted is refused, without a question that nobody would answer.
  await context.grantPermissions(microphone ? ['microphone'] : [], { origin });
  return openTab(await context.newPage(), port);
}

/** Opens the console in a page. */
export async function openTab(page: Page, port: number): Promise<ConsolePage> {
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(`${message.text()} (${message.location().url})`);
  });
  page.setDefaultTimeout(15_000);
  await page.goto(`http://localhost:${port}/`);
  await page.locator('#link.live').waitFor();
  return {
    page,
    errors,
    async shot(name) {
      const folder = process.env['SCREENSHOTS'];
      if (folder === undefined) return;
      await mkdir(folder, { recursive: true });
      await page.screenshot({ path: join(folder, `${name}.png`) });
    },
  };
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
