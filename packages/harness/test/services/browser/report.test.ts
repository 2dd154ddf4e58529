/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBrowser } from '../../../../../tests/support/browser.js';
import { contrast, textColours } from '../../../../../tests/support/contrast.js';
import { standardRegistry, writeReport } from '../../../src/index.js';
import { syntheticResults } from '../../support/synthetic-results.js';

const PHONE = { width: 390, height: 844 };

let browser: Browser;
let folder: string;
let address: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'palimpsest-browser-'));
  await writeReport(syntheticResults(), { folder, registry: standardRegistry, title: 'Synthetic' });
  address = pathToFileURL(join(folder, 'report.html')).href;
  browser = await openBrowser();
});
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Opened {
  readonly page: Page;
  readonly complaints: string[];
  readonly requests: string[];
}

async function withReport(options: BrowserContextOptions, look: (opened: Opened) => Promise<void>) {
  const context = await browser.newContext({ offline: true, ...options });
  const page = await context.newPage();
  const complaints: string[] = [];
  const requests: string[] = [];
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => requests.push(request.url()));
  try {
    await page.goto(address);
    await look({ page, complaints, requests });
  } finally {
    await context.close();
  }
}

describe('the report in a browser', () => {
  it('asks for nothing but itself, complains of nothing, and shows every section and picture', async () => {
    await withReport({ viewport: { width: 1280, height: 900 } }, async ({ page, complaints, requests }) => {
      expect(requests).toEqual([address]);
      expect(complaints).toEqual([]);
      const sections = await page.$$eval('main > section', (found) =>
        found.map(({ id, clientHeight }) => ({ id, isTall: clientHeight > 60 })),
      );
      const shown = [
        'overview',
        'recall',
        'language',
        'efficiency',
        'parity',
        'failed',
        'models',
        'provenance',
      ];
      expect(sections).toEqual(shown.map((id) => ({ id, isTall: true })));
      const links = await page.$$eval('nav a', (found) => found.map((link) => link.getAttribute('href')));
      expect(links).toEqual(shown.map((id) => `#${id}`));
    });
  });

  it('cuts nothing off: texts of a picture end inside of it', async () => {
    await withReport({ viewport: { width: 1280, height: 900 } }, async ({ page }) => {
      const cut = await page.$$eval('figure svg', (pictures) =>
        pictures.flatMap((picture) => {
          const frame = picture.getBoundingClientRect();
          return [...picture.querySelectorAll('text')]
            .filter((text) => {
              const box = text.getBoundingClientRect();
              return (
                box.left < frame.left - 1 || box.right > frame.right + 1 || text.textContent!.includes('…')
              );
            })
            .map((text) => text.textContent);
        }),
      );
      expect(cut).toEqual([]);
    });
  });

  it('fits a phone: the page does not scroll sideways and the words of pictures stay legible', async () => {
    await withReport({ viewport: PHONE, isMobile: true }, async ({ page }) => {
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(PHONE.width);
      const heights = await page.$$eval('figure svg text', (texts) =>
        texts
          .filter((text) => text.checkVisibility())
          .map((text) => {
            const { a, b } = (text as SVGGraphicsElement).getScreenCTM()!;
            return Number.parseFloat(getComputedStyle(text).fontSize) * Math.hypot(a, b);
          }),
      );
      expect(heights.length).toBeGreaterThan(20);
      expect(Math.min(...heights)).toBeGreaterThan(10);
    });
  });

  it.each(['light', 'dark'] as const)('text stands out from its ground, %s', async (colorScheme) => {
    await withReport({ colorScheme }, async ({ page }) => {
      const texts = await page.evaluate(textColours);
      expect(texts.length).toBeGreaterThan(100);
      expect(texts.filter(({ ink, ground }) => contrast(ink, ground) < 4.5)).toEqual([]);
      const paper = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      expect(contrast(paper, 'rgb(0, 0, 0)') < 2).toBe(colorScheme === 'dark');
    });
  });

  it('is black on white on paper, with what a reader of the screen would have to open', async () => {
    await withReport({ colorScheme: 'dark' }, async ({ page }) => {
      const height = () =>
        page.$$eval('details', (all) => all.map((one) => one.getBoundingClientRect().height));
      const closed = await height();
      await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
      const texts = await page.evaluate(textColours);
      expect(texts.filter(({ ink }) => contrast(ink, 'rgb(255, 255, 255)') < 4.5)).toEqual([]);
      expect(await page.locator('nav').isVisible()).toBe(false);
      const opened = await height();
      for (const [index, shut] of closed.entries()) expect(opened[index]).toBeGreaterThan(shut);
    });
  });

  it('hands out the data of every picture as JSON, equal to the files beside it', async () => {
    await withReport({ acceptDownloads: true }, async ({ page }) => {
      const links = await page.locator('figcaption a[download]').all();
      const names: string[] = [];
      for (const link of links) {
        const [download] = await Promise.all([page.waitForEvent('download'), link.click()]);
        const name = download.suggestedFilename();
        const beside = JSON.parse(readFileSync(join(folder, 'data', name), 'utf8'));
        expect(JSON.parse(readFileSync(await download.path(), 'utf8'))).toEqual(beside);
        names.push(name);
      }
      expect(names.sort()).toEqual(readdirSync(join(folder, 'data')).sort());
    });
  });
});
