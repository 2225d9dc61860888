import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeInBrowser, openConsole, startWithAvatar } from '../support/browser.js';
import { startBrowser } from '../support/chromium.js';
import { until } from '../support/service-rig.js';
import { findSound, softNoise } from '../support/signals.js';
import { wavFile } from '../support/wav.js';

/** What the fake microphone hears: two seconds without a repetition, deep enough for a stretched clock not to matter. */
const SPOKEN_AT_48 = deepened(softNoise(96_000, 20_000, 7));
/** The same at 8 kHz: enough for it, and quicker to compare. */
const SPOKEN = SPOKEN_AT_48.filter((_, i) => i % 6 === 0);

/** What is compared at a time, and how far from one to the next, in samples at 8 kHz. */
const PIECE = 300;
const STEP = 1000;
/** So many pieces follow upon the one before; and after so much sound they should have. */
const FOLLOWED = 5;
const MAX_HEARD = 20 * 8000;

/** Live sound whose clock differs, or of which too much waits, is played faster or slower by up to so much. */
const STRETCHES = [0.9965, 1, 1.0035];

await describeInBrowser('the microphone of the console', () => {
  let browser: Browser;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'console-'));
    const microphone = join(folder, 'microphone.wav');
    const data = new Uint8Array(SPOKEN_AT_48.buffer);
    await writeFile(microphone, wavFile({ data, sampleRateHz: 48_000 }));
    browser = await startBrowser(microphone);
  });

  afterAll(async () => {
    await browser.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('speaks through the microphone while the button is held, and what is heard is what was said', async () => {
    const { rig, avatar } = await startWithAvatar();
    const { page, errors, shot } = await openConsole(browser, rig.port, { microphone: true });
    await page.locator('#hold').hover();
    await page.mouse.down();
    await page.locator('#mic-state', { hasText: 'on air' }).waitFor();
    await shot('hold-to-talk');

    // The file is heard from wherever the browser's device has come to. A busy machine may hold the browser up and break
    // the sound, so that it is listened to until enough of it was whole: a piece of it, and what comes next behind it.
    let followed = 0;
    let last: number | undefined;
    for (let from = 1000; followed < FOLLOWED && from < MAX_HEARD; from += STEP) {
      await until(() => avatar.heard().length / 2 > from + PIECE);
      const at = placeOf(everySecond(avatar.heard()).subarray(from, from + PIECE));
      if (at !== undefined && last !== undefined && circular(at - last - STEP) < 100) followed += 1;
      last = at;
    }
    expect(followed).toBe(FOLLOWED);
    await page.mouse.up();
    await page.locator('#mic-state', { hasText: 'not sent' }).waitFor();
    await page.locator('#speech-label.silent').waitFor();
    // The page is told by the service's clock; the avatar itself may be a little behind it.
    await until(() => avatar.report().samplesHeld === 0);
    const heard = avatar.heard().length;
    await sleep(300);
    expect(avatar.heard()).toHaveLength(heard);
    expect(errors).toEqual([]);
  });

  it('goes live and off by a click, and off when somebody else stops it', async () => {
    const { rig, avatar } = await startWithAvatar();
    const { page } = await openConsole(browser, rig.port, { microphone: true });
    const live = page.locator('#live');
    await live.click();
    await until(() => avatar.heard().length > 8000);
    await live.click();
    await page.locator('#speech-label.silent').waitFor();
    expect(await live.getAttribute('aria-pressed')).toBe('false');
    await live.click();
    await page.locator('#speech-label', { hasText: 'microphone' }).waitFor();
    await rig.ask('POST', '/api/agents/default/interrupt');
    await expect.poll(() => live.getAttribute('aria-pressed')).toBe('false');
  });

  it('is held by a key, and by a thumb on a phone', async () => {
    const { rig, avatar } = await startWithAvatar();
    const phone = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };
    const { page, shot } = await openConsole(browser, rig.port, { ...phone, microphone: true });
    await page.locator('h1').tap();
    await page.keyboard.down('t');
    await page.locator('#hold[aria-pressed=true]').waitFor();
    await until(() => avatar.heard().length > 2000);
    await page.keyboard.up('t');
    await page.locator('#hold[aria-pressed=false]').waitFor();
    await page.locator('#speech-label.silent').waitFor();

    const before = avatar.heard().length;
    const box = (await page.locator('#hold').boundingBox())!;
    const finger = await page.context().newCDPSession(page);
    const touchPoints = [{ x: box.x + box.width / 2, y: box.y + box.height / 2 }];
    await finger.send('Input.dispatchTouchEvent', { type: 'touchStart', touchPoints });
    await page.locator('#hold[aria-pressed=true]').waitFor();
    await until(() => avatar.heard().length > before + 2000);
    await shot('phone-talking');
    await finger.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] });
    await page.locator('#hold[aria-pressed=false]').waitFor();
    await page.locator('#speech-label.silent').waitFor();
  });
});

/** The file, and its beginning again. */
const ENDLESS = Int16Array.from({ length: SPOKEN.length + 400 }, (_, i) => SPOKEN[i % SPOKEN.length]!);

/** Where in the file a piece of sound is from; undefined for none of it. */
function placeOf(piece: Int16Array): number | undefined {
  const matches = STRETCHES.map((ratio) => findSound(stretched(piece, ratio), ENDLESS));
  const best = matches.reduce((one, other) => (other.likeness > one.likeness ? other : one));
  return best.likeness > 0.9 ? best.at : undefined;
}

/** Without what lies above about 1 kHz. */
function deepened(samples: Int16Array): Int16Array {
  let value = 0;
  return samples.map((sample) => (value += (sample - value) * 0.12));
}

/** Half the rate, for a sound that has nothing above a quarter of it. */
function everySecond(samples: Int16Array): Int16Array {
  return samples.filter((_, i) => i % 2 === 0);
}

/** Played slower (above 1) or faster. */
function stretched(samples: Int16Array, ratio: number): Int16Array {
  return Int16Array.from({ length: Math.floor((samples.length - 1) * ratio) }, (_, i) => {
    const at = Math.floor(i / ratio);
    const part = i / ratio - at;
    return Math.round(samples[at]! * (1 - part) + samples[at + 1]! * part);
  });
}

/** How far apart two places of the endless file are, in samples. */
function circular(distance: number): number {
  const { length } = SPOKEN;
  const on = ((distance % length) + length) % length;
  return Math.min(on, length - on);
}
