import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { compareHeard } from '../../src/simulator/index.js';
import { describeInBrowser, dropFiles, openConsole, shoot, startWithAvatar } from '../support/browser.js';
import { startBrowser } from '../support/chromium.js';
import { startService, until } from '../support/service-rig.js';
import { sine } from '../support/signals.js';
import { wavFile, wavOf } from '../support/wav.js';

await describeInBrowser('the console in a real browser', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await startBrowser();
  });
  afterAll(() => browser.close());

  it('shows who is connected, speaks a dropped file to the sample, and draws it, without an error', async () => {
    const { rig, avatar } = await startWithAvatar();
    const { page, errors, shot } = await openConsole(browser, rig.port);
    await expect.poll(() => page.locator('#stage-state').textContent()).toBe('Ready');
    expect(await page.locator('#agents [role=tab]').allTextContents()).toEqual(['default']);
    expect(await page.locator('#sign-out').isVisible(), 'without a token there is no log-out').toBe(false);
    await shot('idle');

    const sound = sine(24_000, 300, 12_000);
    await dropFiles(page, [{ name: 'dropped.wav', bytes: wavOf(sound) }]);
    await page.locator('#speech-label', { hasText: 'dropped.wav' }).waitFor();
    await expect
      .poll(async () => Number(await page.locator('#wave').getAttribute('aria-valuenow')))
      .toBeGreaterThan(40);
    await shot('speaking');
    expect(await drawnShare(page)).toBeGreaterThan(0.1);
    await page.locator('#log .good', { hasText: '“dropped.wav” was heard to its end' }).waitFor();
    await page.locator('#speech-label.silent').waitFor();
    await expect.poll(() => compareHeard(sound, avatar.heard())).toMatchObject({ exact: true });
    expect(errors).toEqual([]);
  });

  it('says that the microphone is refused', async () => {
    const { rig } = await startWithAvatar();
    const { page, shot } = await openConsole(browser, rig.port);
    await page.locator('#live').click();
    await page.getByRole('alert').filter({ hasText: 'refuses the microphone' }).waitFor();
    expect(await page.locator('#live').getAttribute('aria-pressed')).toBe('false');
    await shot('microphone-refused');
  });

  it('stops, skips and pauses, and a second page shows the same', async () => {
    const { rig, avatar } = await startWithAvatar();
    const { page, shot } = await openConsole(browser, rig.port);
    // In a window of its own: browsers draw a tab behind another once a second.
    const { page: second } = await openConsole(browser, rig.port);
    // Long, and yet small enough to be taken in before they are spoken: what the service has, every page shows.
    const data = Uint8Array.from(sine(8000 * 20, 200, 60, 8000), (sample) => 128 + sample);
    const long = wavFile({ data, sampleRateHz: 8000, bits: 8 });
    const files = ['first.wav', 'second.wav', 'third.wav'].map((name) => ({ name, bytes: long }));
    await dropFiles(page, files);
    await page.locator('#queue li.speaking', { hasText: 'first.wav' }).waitFor();
    for (const tab of [page, second]) await tab.locator('#speech-label', { hasText: 'first.wav' }).waitFor();
    await second.locator('#queue li', { hasText: 'second.wav' }).waitFor();
    // The page that has the file shows all of it; another one what was sent so far.
    await expect.poll(() => drawnShare(page, 'right half')).toBeGreaterThan(0.2);
    expect(await drawnShare(second, 'right half')).toBeLessThan(0.1);
    await shot('queue');

    await second.locator('#pause').click();
    await page.locator('#stage-state', { hasText: 'Paused' }).waitFor();
    await shot('paused');
    await page.locator('#volume').fill('-12');
    await second.locator('#volume-value', { hasText: '-12 dB' }).waitFor();
    await page.locator('#pause').click();
    await second.locator('#stage-state', { hasText: 'Speaking' }).waitFor();

    await second.locator('#skip').click();
    await page.locator('#queue li.speaking', { hasText: 'second.wav' }).waitFor();

    await page.locator('#stop').click();
    for (const tab of [page, second]) await tab.locator('#speech-label.silent').waitFor();
    await page.locator('#queue .empty').waitFor();
    const heard = avatar.heard().length;
    await sleep(300);
    expect(avatar.heard()).toHaveLength(heard);
  });

  it('says that the avatar died, and that it is back', async () => {
    const { rig, avatar } = await startWithAvatar();
    const { page, shot } = await openConsole(browser, rig.port);
    await dropFiles(page, [{ name: 'long.wav', bytes: wavOf(sine(160_000, 200, 8000)) }]);
    await page.locator('#queue li.speaking').waitFor();
    avatar.leave();
    const alert = page.getByRole('alert').filter({ hasText: 'Avatar default is gone.' });
    await alert.waitFor();
    await page.locator('#stage-state', { hasText: 'Gone' }).waitFor();
    await page.locator('#welcome', { hasText: `Plugin_Remote_Websocket_Port=${rig.port}` }).waitFor();
    await shot('avatar-died');
    await rig.avatar();
    await alert.waitFor({ state: 'detached' });
    await page.locator('#stage-state', { hasText: 'Ready' }).waitFor();
  });

  it('says that the service has ended, and comes back to it by itself', async () => {
    const { rig } = await startWithAvatar();
    const { page, shot } = await openConsole(browser, rig.port);
    await rig.close();
    const alert = page.getByRole('alert').filter({ hasText: 'The service has ended.' });
    await alert.waitFor();
    await shot('service-ended');
    const again = await startService({ port: rig.port });
    onTestFinished(() => again.close());
    await alert.waitFor({ state: 'detached' });
    await page.locator('#stage-name', { hasText: 'default' }).waitFor();
    await again.avatar();
    await page.locator('#stage-state', { hasText: 'Ready' }).waitFor();
  });

  it('completes and sends a command by the keyboard alone, and shows its echo', async () => {
    const { rig, avatar } = await startWithAvatar();
    const { page, shot } = await openConsole(browser, rig.port);
    const { keyboard } = page;
    await keyboard.press('Tab');
    await keyboard.press('Enter');
    await expect.poll(() => page.evaluate('document.activeElement.id')).toBe('command');
    await keyboard.type('starts a mot');
    await page.locator('#command-list [role=option]').first().waitFor();
    await keyboard.press('ArrowDown');
    await shot('completion');
    expect(await page.locator('#command').getAttribute('aria-activedescendant')).toBe('option-0');
    await keyboard.press('Tab');
    expect(await page.locator('#command').inputValue()).toBe('MOTION_ADD|');
    await keyboard.type('0|nod|nod.vmd|P');
    await page.locator('#command-help mark', { hasText: 'range' }).waitFor();
    await keyboard.press('Tab');
    expect(await page.locator('#command').inputValue()).toContain('MOTION_ADD|0|nod|nod.vmd|PART');
    await shot('arguments');
    await page.locator('#command').fill('MOTION_ADD|0|nod|nod.vmd|PART');
    await keyboard.press('Enter');
    await until(() => avatar.report().commands.some(({ line }) => line === 'MOTION_ADD|0|nod|nod.vmd|PART'));
    await page.locator('#log .message', { hasText: 'MOTION_ADD|0|nod|nod.vmd|PART' }).waitFor();
    await keyboard.press('ArrowUp');
    expect(await page.locator('#command').inputValue()).toBe('MOTION_ADD|0|nod|nod.vmd|PART');

    // What the service refuses is said, and the line is there to be mended.
    await page.locator('#command').fill('EXECUTE|notepad.exe');
    await keyboard.press('Enter');
    await page.locator('#log .sent.bad', { hasText: 'EXECUTE|notepad.exe' }).waitFor();
    expect(await page.locator('#command').inputValue()).toBe('EXECUTE|notepad.exe');
  });

  it('says a text that is typed', async () => {
    const { rig, avatar } = await startWithAvatar();
    const { page, errors, shot } = await openConsole(browser, rig.port);
    await page.locator('#say-text').fill('Hello, this is a test.');
    await page.keyboard.press('Enter');
    await page.locator('#queue li.speaking', { hasText: 'Hello, this is a test.' }).waitFor();
    await until(() => avatar.heard().length > 4000);
    await shot('say');
    await page.locator('#stop').click();
    await page.locator('#speech-label.silent').waitFor();
    expect(errors).toEqual([]);
  });

  it('is steered by single keys, shows where the focus is, and lets it go everywhere', async () => {
    const { rig } = await startWithAvatar();
    const { page, shot } = await openConsole(browser, rig.port);
    const { keyboard } = page;
    await keyboard.press('?');
    await page.locator('#keys[open]').waitFor();
    await shot('keys');
    await keyboard.press('Escape');
    await page.locator('h1').click();
    await keyboard.press('p');
    await page.locator('#stage-state', { hasText: 'Paused' }).waitFor();
    await keyboard.press('p');
    await page.locator('#stage-state:not(.paused)').waitFor();

    const reached = new Set<string>();
    for (let i = 0; i < 40; i++) {
      await keyboard.press('Tab');
      const focus = await page.evaluate<{ id: string; outline: string; body: boolean }>(`(() => {
        const element = document.activeElement;
        return { id: element.id, outline: getComputedStyle(element).outlineStyle, body: element === document.body };
      })()`);
      if (focus.body) continue;
      expect(focus.outline, focus.id).not.toBe('none');
      reached.add(focus.id);
    }
    for (const id of [
      'language',
      'help',
      'pause',
      'stop',
      'volume',
      'hold',
      'live',
      'file-button',
      'at-once',
    ])
      expect(reached).toContain(id);
    for (const id of ['command', 'log-filter', 'log-pause', 'log-clear', 'log'])
      expect(reached).toContain(id);
  });

  it('speaks Japanese to whoever does, in the dark too', async () => {
    const { rig } = await startWithAvatar();
    const { page, shot } = await openConsole(browser, rig.port, { locale: 'ja-JP', colorScheme: 'dark' });
    expect(await page.locator('html').getAttribute('lang')).toBe('ja');
    await page.locator('#stage-state', { hasText: '準備完了' }).waitFor();
    await dropFiles(page, [{ name: 'こんにちは.wav', bytes: wavOf(sine(40_000, 220, 9000)) }]);
    await page.locator('#speech-label', { hasText: 'こんにちは.wav' }).waitFor();
    await page.locator('#command').pressSequentially('モーション');
    await page.locator('#command-list [role=option]').first().waitFor();
    await shot('japanese-dark');

    // What the service refuses is told in Japanese, with its own sentence beneath.
    await page.locator('#command').fill('EXECUTE|notepad.exe');
    await page.keyboard.press('Enter');
    const refused = page.locator('.notice.warn', { hasText: '許可されていない操作です。' });
    await refused.locator('[lang=en]', { hasText: 'EXECUTE' }).waitFor();
    await dropFiles(page, [{ name: '壊れた.wav', bytes: Buffer.alloc(3000, 'no sound ') }]);
    await page.locator('.notice.warn', { hasText: '音声の形式がわかりません。' }).waitFor();
    await shot('japanese-problem');
    await page.locator('#language').click();
    await page.locator('#stage-state', { hasText: 'Ready' }).waitFor();
    await page.reload();
    expect(await page.locator('html').getAttribute('lang')).toBe('en');
  });

  it('fits a phone, a tablet and a low window', async () => {
    const { rig, avatar } = await startWithAvatar();
    const phone = {
      viewport: { width: 390, height: 844 },
      isMobile: true,
      hasTouch: true,
      deviceScaleFactor: 2,
    };
    const { page, shot } = await openConsole(browser, rig.port, phone);
    const box = (await page.locator('#hold').boundingBox())!;
    expect(box.y + box.height).toBeLessThanOrEqual(844);
    expect(box.height).toBeGreaterThanOrEqual(44);
    await shot('phone');
    // The log is long, and must not push anything away.
    const commands = Array.from({ length: 100 }, (_, i) => `TEST|${i}`);
    await rig.ask('POST', '/api/agents/default/commands', { json: { commands } });
    await page.locator('#log .message', { hasText: 'TEST|99' }).waitFor();
    // As where a token is asked for.
    await page.evaluate(`document.getElementById('sign-out').hidden = false`);
    for (const [width, height] of [
      [390, 844],
      [320, 600],
      [820, 1180],
      [1280, 600],
      [1920, 1080],
    ] as const) {
      await page.setViewportSize({ width, height });
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
      expect(await page.evaluate('document.documentElement.scrollHeight')).toBeLessThan(1900);
      expect(await spillage(page), `${width}x${height}`).toEqual([]);
      await shot(`size-${width}`);
    }
    expect(avatar.report().alive).toBe(true);
  });

  it('waits for an avatar and says how to bring one, and tells several apart', async () => {
    const rig = await startService();
    onTestFinished(() => rig.close());
    const { page, shot } = await openConsole(browser, rig.port);
    await page.locator('#welcome', { hasText: 'Plugin_Remote_Websocket_Directory=/chat' }).waitFor();
    await shot('no-avatar');
    await rig.avatar({ name: 'mei' });
    const gene = await rig.avatar({ name: 'gene' });
    await page.locator('#stage-name', { hasText: 'mei' }).waitFor();
    await page.getByRole('tab', { name: 'gene' }).click();
    await page.locator('#stage-name', { hasText: 'gene' }).waitFor();
    await page.locator('#command').fill('TEST|gene');
    await page.keyboard.press('Enter');
    await until(() => gene.report().commands.some(({ line }) => line === 'TEST|gene'));
    await page.locator('#log .message', { hasText: 'TEST|gene' }).waitFor();
    await shot('two-avatars');
    await page.getByRole('tab', { name: 'mei' }).click();
    expect(await page.locator('#log .message', { hasText: 'TEST|gene' }).count()).toBe(0);
  });

  it('asks for the token where one is demanded, and then works as ever', async () => {
    const token = 'a-token-of-this-test';
    const rig = await startService({ token });
    onTestFinished(() => rig.close());
    const avatar = await rig.avatar();
    const context = await browser.newContext({ locale: 'en-GB' });
    onTestFinished(() => context.close());
    const page = await context.newPage();
    await page.goto(`http://localhost:${rig.port}/`);
    expect(new URL(page.url()).pathname).toBe('/login');
    await shoot(page, 'login');
    await page.keyboard.type('something-else-altogether');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').waitFor();
    await page.keyboard.type(token);
    await page.keyboard.press('Enter');
    await page.locator('#link.live').waitFor();
    await page.locator('#command').fill('TEST|inside');
    await page.keyboard.press('Enter');
    await until(() => avatar.report().commands.some(({ line }) => line === 'TEST|inside'));
    const [cookie] = await context.cookies();
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Strict' });

    await shoot(page, 'log-out');
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.waitForURL(/\/login$/);
    expect(await context.cookies()).toEqual([]);
    await page.keyboard.type(token);
    await page.keyboard.press('Enter');
    await page.locator('#link.live').waitFor();

    // Without its cookie, as after seven days, it says so when it must come back.
    await context.clearCookies();
    await page.reload();
    expect(new URL(page.url()).pathname).toBe('/login');
  });

  it('keeps its log bounded, filters it, and holds it still', async () => {
    const { rig, avatar } = await startWithAvatar();
    const { page } = await openConsole(browser, rig.port);
    const commands = Array.from({ length: 1000 }, (_, i) => `TEST|${i}`);
    await rig.ask('POST', '/api/agents/default/commands', { json: { commands } });
    await rig.ask('POST', '/api/agents/default/commands', { json: { commands: ['TEST|needle'] } });
    await page.locator('#log .message', { hasText: 'TEST|needle' }).waitFor();
    expect(await page.locator('#log li').count()).toBe(1000);
    await page.locator('#log-filter').fill('NEEDLE');
    expect(await page.locator('#log li').count()).toBe(1);
    await page.locator('#log-filter').fill('');
    await page.locator('#log-pause').click();
    await rig.ask('POST', '/api/agents/default/commands', { json: { commands: ['TEST|later'] } });
    await page.locator('#log-pause', { hasText: '1 new' }).waitFor();
    expect(await page.locator('#log li', { hasText: 'TEST|later' }).count()).toBe(0);
    await page.locator('#log-pause').click();
    await page.locator('#log li', { hasText: 'TEST|later' }).waitFor();
    expect(avatar.report().alive).toBe(true);
  });
});

/** How much of the wave's canvas is painted, from 0 to 1. */
function drawnShare(page: Page, part: 'all' | 'right half' = 'all'): Promise<number> {
  return page.evaluate<number>(`(() => {
    const canvas = document.querySelector('#wave-canvas');
    const left = ${part === 'all' ? '0' : 'Math.floor(canvas.width / 2)'};
    const { data } = canvas.getContext('2d').getImageData(left, 0, canvas.width - left, canvas.height);
    let painted = 0;
    for (let i = 3; i < data.length; i += 4) if (data[i] > 0) painted += 1;
    return painted / (data.length / 4);
  })()`);
}

/** Cards of the page whose content stands over their edge. */
function spillage(page: Page): Promise<string[]> {
  return page.evaluate<string[]>(`(() => {
    const spilt = [];
    for (const card of document.querySelectorAll('.card')) {
      const edge = card.getBoundingClientRect();
      for (const inner of card.querySelectorAll(':scope > *, :scope > * > *:not(li)')) {
        const box = inner.getBoundingClientRect();
        const inside = box.bottom <= edge.bottom + 1 && box.right <= edge.right + 1;
        if (box.width > 1 && !inside) spilt.push(card.className + ': ' + (inner.id || inner.className));
      }
    }
    return spilt;
  })()`);
}
