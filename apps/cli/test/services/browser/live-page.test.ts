import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBrowser } from '../../../../../tests/support/browser.js';
import { contrast, textColours } from '../../../../../tests/support/contrast.js';
import { liveRun } from '../../support/live.js';
import { tiny } from '../../support/trained.js';

let browser: Browser;
beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(() => browser.close());

describe('the live page of a run in a browser', () => {
  it('shows numbers as they come, at their end too, on a desk and a phone, and has no problem', {
    timeout: 400_000,
  }, async () => {
    const often = ['--sample-every', '60', '--sample-tokens', '20', '--validate-every', '200'];
    // Long enough that the page is drawn several times behind the first sample: it may wait ten seconds for the next drawing.
    const run = liveRun(['osam', ...tiny, '--steps', '5000', ...often], 'no-such-program');
    const problems: string[] = [];
    const open = async (width: number, colorScheme: 'light' | 'dark') => {
      const page = await browser.newPage({ viewport: { width, height: 800 }, colorScheme });
      page.setDefaultTimeout(200_000);
      page.on('pageerror', ({ message }) => problems.push(message));
      page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
      await page.goto(await run.address);
      return page;
    };
    const [desk, phone] = [await open(1280, 'light'), await open(390, 'dark')];
    const step = desk.locator('.facts dd:nth-of-type(1)');
    await desk.locator('#samples .text').first().waitFor();
    // What has the focus keeps it while the page is replaced around it.
    const link = desk.locator('#loss figcaption a');
    await link.focus();
    await step.filter({ hasNotText: (await step.textContent())! }).waitFor();
    expect(await link.evaluate((element) => element === element.ownerDocument.activeElement)).toBe(true);

    await desk.getByText('The run is done').waitFor();
    await phone.getByText('The run is done').waitFor();
    expect(await step.textContent()).toBe('5000 of 5000');
    expect(await desk.title()).toContain('100 %');
    expect(await desk.locator('figure svg:visible').count()).toBeGreaterThanOrEqual(2);
    for (const page of [desk, phone]) {
      const wide = await page.evaluate('document.documentElement.scrollWidth - window.innerWidth');
      expect(wide).toBeLessThanOrEqual(0);
      const texts = await page.evaluate(textColours);
      expect(texts.length).toBeGreaterThan(20);
      expect(texts.filter(({ ink, ground }) => contrast(ink, ground) < 4.5)).toEqual([]);
    }
    expect((await run.finished).code).toBe(0);
    // The server is gone, and nobody asks for it any more.
    await desk.waitForTimeout(4000);
    expect(await desk.locator('#following').textContent()).toContain('The run is done');
    expect(problems).toEqual([]);
  });
});
