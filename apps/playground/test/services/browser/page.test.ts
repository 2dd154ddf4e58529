import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBrowser } from '../../../../../tests/support/browser.js';
import { contrast, textColours } from '../../../../../tests/support/contrast.js';
import { type PageServer, servePage } from '../../../../../tests/support/page-server.js';

const dist = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', 'dist');

let browser: Browser;
let page: Page;
let server: PageServer;
const asked: string[] = [];
const problems: string[] = [];

beforeAll(async () => {
  // Not at the root of its host.
  server = await servePage(dist, { path: '/some/folder/' });
  browser = await openBrowser();
  page = await browser.newPage({ viewport: { width: 1100, height: 800 }, acceptDownloads: true });
  page.setDefaultTimeout(200_000);
  page.on('request', (request) => asked.push(request.url()));
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
  await page.goto(server.address);
}, 200_000);

afterAll(async () => {
  await browser.close();
  await server.close();
});

const figure = async (name: string) => {
  const text = await page.locator('.figure:visible', { hasText: name }).locator('dd').innerText();
  return Number(text.replaceAll(',', ''));
};

describe('the page in a browser', () => {
  it('trains: the loss falls, and the memory stays what it was', async () => {
    await page.getByLabel('Steps').selectOption('60');
    await page.getByRole('button', { name: 'Train', exact: true }).click();
    const step = page.locator('.figure:visible', { hasText: 'step' }).locator('dd');
    await step.waitFor();
    const [firstLoss, firstBytes] = [await figure('loss'), await figure('memory of a reader')];
    await page.getByText('Done.').waitFor();
    expect(await figure('step')).toBe(60);
    expect(await figure('loss')).toBeLessThan(firstLoss - 1);
    expect(await figure('memory of a reader')).toBe(firstBytes);
    expect(await figure('all keys and values')).toBeGreaterThan(10 * firstBytes);
    expect((await page.locator('.sample').first().innerText()).length).toBeGreaterThan(50);
  });

  it('talks, and goes on from a memory that was kept, downloaded and restored as if nothing had been', async () => {
    await page.getByRole('tab', { name: 'Talk' }).click();
    await page.locator('#panel-1').getByLabel('Model').selectOption('facts');
    const say = async (line: string) => {
      await page.getByLabel('Say something').fill(line);
      await page.getByRole('button', { name: 'Say', exact: true }).click();
      await page.getByRole('button', { name: 'Keep this moment' }).and(page.locator(':enabled')).waitFor();
      return page.locator('.talk li.model .what').last().innerText();
    };
    await page.getByLabel('Say something').waitFor();
    expect(await say('Ada likes tea.')).toBe('Ok.');
    await page.getByRole('button', { name: 'Keep this moment' }).click();
    const download = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Download' }).click();
    const file = await (await download).path();
    expect(readFileSync(file).length).toBeGreaterThan(1000);
    const tokens = await figure('tokens read');
    const answer = await say('What does Ada like?');
    expect(answer).toBe('Ada likes tea.');

    await page.getByRole('button', { name: 'Fork from here' }).click();
    await page.getByText('Back at').waitFor();
    expect(await figure('tokens read')).toBe(tokens);
    expect(await say('What does Ada like?')).toBe(answer);

    await page.getByRole('button', { name: 'Forget everything' }).click();
    await page
      .locator('.figure:visible', { hasText: 'tokens read' })
      .getByText('0', { exact: true })
      .waitFor();
    await page.getByLabel('Restore from a file').setInputFiles(file);
    await page.getByText('was restored').waitFor();
    expect(await figure('tokens read')).toBe(tokens);
    expect(await say('What does Ada like?')).toBe(answer);
  });

  it('gives a line back that the model cannot read, and says why', async () => {
    await page.getByLabel('Say something').fill('Ada likes 漢字.');
    await page.getByRole('button', { name: 'Say', exact: true }).click();
    await page.locator('#panel-1').getByRole('alert').waitFor();
    expect(await page.getByLabel('Say something').inputValue()).toBe('Ada likes 漢字.');
    expect(await page.locator('#panel-1').getByRole('alert').textContent()).toContain('漢');
  });

  it('shows what memories kept, of the model that was trained here and of notes', async () => {
    await page.getByRole('tab', { name: 'Look inside' }).click();
    const panel = page.locator('#panel-2');
    const model = panel.getByLabel('Model', { exact: true });
    await model.selectOption('trained');
    await panel.getByRole('button', { name: 'Look inside' }).click();
    await panel.locator('.inspection').waitFor();
    expect(await panel.locator('.inspection canvas').count()).toBeGreaterThan(1);
    expect(await panel.locator('.shaded .text span').count()).toBe(600);
    await model.selectOption('window');
    await panel.getByRole('button', { name: 'Look inside' }).click();
    const rule = panel.getByLabel('What decides which tokens its cache keeps');
    expect(await rule.inputValue()).toBe('namm');
    await panel.getByText('NAMM, an evolved network of 190 numbers').waitFor();
    const shades = () =>
      panel
        .locator('.shaded .text')
        .first()
        .locator('span')
        .evaluateAll((all) => all.map((one) => one.getAttribute('style')));
    const evolved = await shades();
    await rule.selectOption('h2o');
    await panel.getByRole('button', { name: 'Look inside' }).click();
    await panel.getByText('H2O, what received most attention').waitFor();
    // The two do not keep the same.
    expect(await shades()).not.toEqual(evolved);
    await panel.getByRole('button', { name: 'Remember' }).click();
    expect(await panel.locator('.found li').first().innerText()).toContain('afraid of thunder');
  });

  it('compares a GRU and linear attention, and says which bytes each of them takes', async () => {
    await page.getByRole('tab', { name: 'Compare' }).click();
    const panel = page.locator('#panel-3');
    await panel.getByLabel('One memory', { exact: true }).selectOption('gru');
    await panel.getByLabel('Another memory', { exact: true }).selectOption('linear-attention');
    await panel.getByLabel('Bytes of each').selectOption('2048');
    await panel.getByRole('button', { name: 'Train both' }).click();
    // Wide layers learn slowly: both are ended as soon as they are under way.
    for (const side of [0, 1]) await panel.locator('.figure', { hasText: 'step' }).nth(side).waitFor();
    await panel.getByRole('button', { name: 'Stop' }).click();
    await panel.getByText('Done.').nth(1).waitFor();
    expect(
      await panel.locator('.figure', { hasText: 'memory of a reader' }).locator('dd').allTextContents(),
    ).toEqual(['2,048', '2,560']);
    expect(await panel.locator('.lines polyline').count()).toBe(2);
    await panel.getByText('Its memory takes 2,560 bytes').waitFor();
  });

  it('is worked by keys: tabs by arrows, in an order that can be seen', async () => {
    await page.getByRole('tab', { name: 'Look inside' }).focus();
    await page.keyboard.press('Home');
    expect(await page.getByRole('tab', { name: 'Train' }).getAttribute('aria-selected')).toBe('true');
    const order: string[] = [];
    for (let i = 0; i < 4; i++) {
      await page.keyboard.press('Tab');
      order.push(await page.evaluate('document.activeElement.tagName'));
    }
    expect(order).toEqual(['SELECT', 'SELECT', 'TEXTAREA', 'BUTTON']);
  });

  it('names every field, button and picture', async () => {
    const nameless = await page.evaluate(`
      [...document.querySelectorAll('input, select, textarea, button, [role=img], [role=tabpanel], ol')]
        .filter((element) => !(element.labels?.length || element.getAttribute('aria-label') ||
          element.getAttribute('aria-labelledby') || element.textContent.trim()))
        .map((element) => element.outerHTML.slice(0, 80))`);
    expect(nameless).toEqual([]);
    expect(await page.locator('h1').count()).toBe(1);
    expect(await page.getAttribute('html', 'lang')).toBe('en');
  });

  it.each(['light', 'dark'] as const)('text stands out from its ground, %s', async (colorScheme) => {
    await page.emulateMedia({ colorScheme });
    for (const name of ['Train', 'Talk', 'Look inside', 'Compare']) {
      await page.getByRole('tab', { name }).click();
      const texts = await page.evaluate(textColours);
      expect(texts.length, name).toBeGreaterThan(8);
      expect(
        texts.filter(({ ink, ground }) => contrast(ink, ground) < 4.5),
        name,
      ).toEqual([]);
    }
  });

  it('fits a phone without scrolling sideways', async () => {
    await page.setViewportSize({ width: 360, height: 740 });
    for (const name of ['Train', 'Talk', 'Look inside', 'Compare']) {
      await page.getByRole('tab', { name }).click();
      const wide = await page.evaluate('document.documentElement.scrollWidth - window.innerWidth');
      expect(wide, name).toBeLessThanOrEqual(0);
    }
  });

  it('asked no other host for anything, and had no problem', () => {
    expect(asked.length).toBeGreaterThan(5);
    expect(asked.filter((url) => !/^(blob:|data:)/.test(url) && !url.startsWith(server.address))).toEqual([]);
    expect(problems).toEqual([]);
  });
});
