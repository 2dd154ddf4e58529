import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { openBrowser } from '../../../../support/browser.js';
import { servePage } from '../../../../support/page-server.js';
import { bundlers } from '../../support/bundlers.js';

const root = join(import.meta.dirname, '../../../../..');
const scratch = mkdtempSync(join(tmpdir(), 'palimpsest-exported-'));
const require = createRequire(import.meta.url);
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const node = (...args: string[]) => execFileSync(process.execPath, args, { cwd: scratch, encoding: 'utf8' });
const program = join(root, 'apps/cli/dist/main.js');

it('an exported model writes in a page what it writes in Node.js', { timeout: 300_000 }, async () => {
  const size = ['--d-model', '8', '--sketch-dim', '8', '--readout-hidden', '8'];
  const short = ['--steps', '12', '--batch-size', '4', '--seq-len', '16', '--sample-every', '0', '--quiet'];
  node(program, 'train', 'osam', ...size, ...short, '--learning-rate', '0.02', '--out', 'run');
  node(program, 'export', 'run', '--out', 'step.onnx', '--quiet');
  const expected = node(join(root, 'examples/onnx-step.mjs'), 'step.onnx', 'hello wor').replace(/\n$/, '');

  const page = join(scratch, 'page');
  await bundlers.esbuild!(join(root, 'examples/onnx-page'), page);
  for (const file of ['step.onnx', 'step.tokenizer.json']) cpSync(join(scratch, file), join(page, file));
  const wasm = 'ort-wasm-simd-threaded.wasm';
  cpSync(join(dirname(require.resolve('onnxruntime-web')), wasm), join(page, wasm));
  const server = await servePage(page);
  const browser = await openBrowser();
  const tab = await browser.newPage();
  await tab.goto(server.address);
  await tab.fill('input', 'hello wor');
  await tab.click('button:enabled');
  await tab.waitForFunction(`document.querySelector('output').textContent.length >= ${expected.length}`);
  expect(await tab.textContent('output')).toBe(expected);
  await browser.close();
  await server.close();
});
