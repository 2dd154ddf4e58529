import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBrowser } from '../../../../support/browser.js';
import { type PageServer, servePage } from '../../../../support/page-server.js';
import { bundlers, findsAssets } from '../../support/bundlers.js';

/** What `page/learn.js` gives. */
interface Learnt {
  readonly description: { readonly name: string; readonly threads: number; readonly reason: string };
  readonly losses: readonly number[];
  readonly written: string;
  readonly stateBytes: number;
  readonly error?: string;
}
type Place = 'learn' | 'learnInWorker';

const page = join(import.meta.dirname, '../../../page');
const scratch = mkdtempSync(join(tmpdir(), 'palimpsest-pages-'));
const require = createRequire(import.meta.url);
let browser: Browser;

beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(async () => {
  await browser.close();
  rmSync(scratch, { recursive: true, force: true });
});

/** Lays the files of both engines into the page's folder `assets`, as its author does for threads, and where the bundler does not. */
function layAssets(folder: string): void {
  const assets = join(folder, 'assets');
  mkdirSync(assets, { recursive: true });
  const lay = (module: string, file: string) =>
    cpSync(join(dirname(require.resolve(module)), file), join(assets, file));
  lay('@palimpsest/tensor-core', 'tfjs-backend-wasm-simd.wasm');
  for (const kind of ['wasm', 'mjs']) lay('onnxruntime-web', `ort-wasm-simd-threaded.${kind}`);
}

/** Opens the page and notes what it asks for. */
async function open({ address }: PageServer): Promise<{ page: Page; asked: string[] }> {
  const page = await browser.newPage();
  const asked: string[] = [];
  page.on('request', (request) => asked.push(request.url()));
  await page.goto(address);
  await page.waitForFunction('globalThis.learn');
  return { page, asked };
}

const learn = (page: Page, place: Place, engine: string, options: object): Promise<Learnt> =>
  page.evaluate(`${place}(${JSON.stringify(engine)}, ${JSON.stringify(options)})`);

const wasmFiles = (asked: readonly string[]) =>
  new Set(
    asked.filter((url) => url.endsWith('.wasm')).map((url) => /(ort|tfjs)-[^/]*$/.exec(url)?.[1] ?? url),
  );

describe.each(Object.entries(bundlers))('a page built by %s', (name, build) => {
  const folder = join(scratch, name.replace(' ', '-'));
  // Where the bundler brings them along, nobody has to name them. Relative addresses would be those of the worker in one.
  const optionsAt = ({ address }: PageServer) => (findsAssets(name) ? {} : { assets: `${address}assets` });
  let plain: PageServer;
  let isolated: PageServer;

  beforeAll(async () => {
    await build(page, folder);
    layAssets(folder);
    [plain, isolated] = await Promise.all([servePage(folder), servePage(folder, { isolated: true })]);
  }, 300_000);
  afterAll(() => Promise.all([plain?.close(), isolated?.close()]));

  it.each([
    ['wasm', 'learn'],
    ['wasm', 'learnInWorker'],
    ['onnx-web', 'learn'],
    ['onnx-web', 'learnInWorker'],
  ] as const)('trains and writes on %s by %s', async (engine, place) => {
    const { page, asked } = await open(plain);
    const { error, description, losses, written, stateBytes } = await learn(
      page,
      place,
      engine,
      optionsAt(plain),
    );
    expect(error).toBeUndefined();
    expect(losses.at(-1)).toBeLessThan(0.8 * losses[0]!);
    expect(written).toHaveLength(20);
    expect(stateBytes).toBeGreaterThan(0);
    expect(description).toMatchObject({ name: engine, threads: 1 });
    if (engine === 'onnx-web') expect(description.reason).toContain('not cross-origin isolated');
    // One WASM build, and nothing from elsewhere.
    expect(wasmFiles(asked).size).toBe(1);
    expect(asked.filter((url) => !url.startsWith(plain.address))).toEqual([]);
    await page.close();
  });

  it.each(['learn', 'learnInWorker'] as const)('has threads where it is isolated, by %s', async (place) => {
    const { page } = await open(isolated);
    const one = await learn(page, place, 'onnx-web', { assets: `${isolated.address}assets`, threads: 2 });
    expect(one.error).toBeUndefined();
    expect(one.description).toMatchObject({ name: 'onnx-web', threads: 2, reason: 'asked for by name' });
    expect(one.losses.at(-1)).toBeLessThan(0.8 * one.losses[0]!);
    // The backend of `wasm` must not ask for its own build with threads, which nobody ships.
    const other = await learn(page, place, 'wasm', optionsAt(isolated));
    expect(other).toMatchObject({ description: { name: 'wasm', threads: 1 } });
    await page.close();
  });

  // Not declared instead of skipped: the count takes what is skipped for a failure.
  if (findsAssets(name)) {
    it('has one thread where it does not name the files', async () => {
      const { page } = await open(isolated);
      const { description } = await learn(page, 'learn', 'onnx-web', { threads: 2 });
      expect(description).toMatchObject({
        threads: 1,
        reason: expect.stringContaining("'assets' does not name"),
      });
      await page.close();
    });
  }

  it('says which engines cannot be loaded, and why', async () => {
    const { page } = await open(plain);
    const { description } = await learn(page, 'learn', 'auto', optionsAt(plain));
    expect(description).toMatchObject({
      name: 'wasm',
      unavailable: [
        { name: 'onnx', reason: 'it needs Node.js', remedy: '' },
        { name: 'onnx-web', reason: "the page gave no 'onnxRuntime'" },
        { name: 'tfjs-node-gpu', reason: 'it needs Node.js', remedy: '' },
        { name: 'tfjs-node', reason: 'it needs Node.js', remedy: '' },
      ],
    });
    await page.close();
  });

  it.each([
    [
      'wasm',
      /elsewhere\/tfjs-backend-wasm-simd\.wasm answers 404\); serve tfjs-backend-wasm-simd\.wasm of node_modules.*'assets'\.$/,
    ],
    [
      'onnx-web',
      /it did not start.*serve its ort-wasm-simd-threaded\.\* beside your program or from the folder that you name as 'assets'\.$/,
    ],
  ])('says where the files of %s are looked for', async (engine, sentence) => {
    const { page } = await open(plain);
    const { error } = await learn(page, 'learn', engine, { assets: 'elsewhere' });
    expect(error).toMatch(sentence);
    await page.close();
  });
});
