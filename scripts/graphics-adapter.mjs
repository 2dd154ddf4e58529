// Prints the graphics adapter that WebGPU has in a browser, opened as the tests open it: `node scripts/graphics-adapter.mjs
// PROGRAM`. Ends with 1 where there is none, after saying why.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { chromium } from 'playwright-core';

const flags = JSON.parse(
  readFileSync(new URL('../tests/support/software-graphics.json', import.meta.url), 'utf8'),
);

/** Run in the page. */
async function findAdapter() {
  const adapter = await navigator.gpu?.requestAdapter();
  return adapter ? `${adapter.info.vendor} ${adapter.info.architecture}` : undefined;
}

// Pages without an address of their own have no WebGPU.
const server = createServer((_request, response) => response.end('<!doctype html>'));
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const browser = await chromium.launch({
  executablePath: process.argv[2],
  headless: true,
  args: ['--no-sandbox', ...flags],
});
try {
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  const adapter = await page.evaluate(findAdapter);
  console.log(adapter ?? 'WebGPU finds no graphics adapter');
  process.exitCode = adapter === undefined ? 1 : 0;
} finally {
  await browser.close();
  server.close();
}
