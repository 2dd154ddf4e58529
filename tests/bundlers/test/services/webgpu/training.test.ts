import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBrowser } from '../../../../support/browser.js';
import { type PageServer, servePage } from '../../../../support/page-server.js';
import { bundlers } from '../../support/bundlers.js';

/** What `webgpu/main.js` gives. */
interface Learnt {
  readonly description: { readonly device: string; readonly reason: string };
  readonly losses: readonly number[];
  readonly times: readonly number[];
  readonly difference: number;
  readonly largest: number;
  readonly error?: string;
}

const STEPS = 4;
const source = join(import.meta.dirname, '../../../webgpu');
const folder = mkdtempSync(join(tmpdir(), 'palimpsest-webgpu-'));
let server: PageServer;
let browser: Browser;
let page: Page;

beforeAll(async () => {
  // It brings the runtime's WASM file along.
  await bundlers['Vite 8']!(source, folder);
  server = await servePage(folder);
  browser = await openBrowser('software');
  page = await browser.newPage();
  await page.goto(server.address);
  await page.waitForFunction('globalThis.learn');
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await server?.close();
  rmSync(folder, { recursive: true, force: true });
});

const learn = (page: Page, mechanism: string, engine: string, provider?: string): Promise<Learnt> =>
  page.evaluate(
    `learn(${JSON.stringify(mechanism)}, '${engine}', ${JSON.stringify({ provider })}, ${STEPS})`,
  );

describe.each([
  // Its phases are sines of a shader, which WGSL lets be 5e-4 off; those of the adapter here are 2e-4 off.
  ['osam', 1e-3],
  ['rsm', 1e-4],
  ['om-arc', 1e-4],
  ['transformer-window', 1e-4],
  ['gru', 1e-4],
] as const)('%s', (mechanism, tolerance) => {
  it('learns on WebGPU what it learns elsewhere, and streams what it reads in one go', async () => {
    const expected = await learn(page, mechanism, 'cpu');
    const { error, description, losses, difference, largest } = await learn(
      page,
      mechanism,
      'onnx-web',
      'webgpu',
    );
    expect(error).toBeUndefined();
    expect(description.device).toMatch(/^webgpu \(.+\)$/);
    expect(losses).toHaveLength(STEPS);
    expect(losses.at(-1)).toBeLessThan(losses[0]!);
    losses.forEach((loss, step) => {
      expect(Math.abs(loss / expected.losses[step]! - 1), `step ${step}`).toBeLessThan(tolerance);
    });
    expect(difference).toBeLessThan(1e-5 * largest);
  });
});

it('counts and draws as elsewhere, and adds long sums nearly so', async () => {
  const differences = await page.evaluate(`compare({ provider: 'webgpu' })`);
  expect(differences).toEqual({
    draws: 0,
    'places of the largest': 0,
    'place of the largest': 0,
    remainders: 0,
    'sum of all': expect.closeTo(0, 4),
    'running sums': expect.closeTo(0, 4),
    'sums by segment': expect.closeTo(0, 4),
  });
});

it('trains two models at once, each as if it were alone', async () => {
  const [one, other] = await Promise.all([1, 2].map(() => learn(page, 'gru', 'onnx-web', 'webgpu')));
  expect(one!.error).toBeUndefined();
  expect(one!.losses).toEqual(other!.losses);
});

it('computes on WebAssembly where there is no graphics adapter, and says why', async () => {
  const plain = await openBrowser();
  const without = await plain.newPage();
  await without.goto(server.address);
  await without.waitForFunction('globalThis.learn');
  const { error, description, losses } = await learn(without, 'gru', 'onnx-web', 'webgpu');
  expect(error).toBeUndefined();
  expect(description.device).toBe('wasm');
  expect(description.reason).toContain('on WebAssembly, because WebGPU found no graphics adapter');
  expect(losses.at(-1)).toBeLessThan(losses[0]!);
  await plain.close();
});
