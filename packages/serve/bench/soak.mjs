/**
 * 50 clients at one server for two minutes: completions, chats, streams, sessions, and clients that leave in the middle.
 * Fails on any answer that is neither right nor 429, and when the process holds more at the end than after its first
 * quarter, with what can be collected collected. Usage: node --expose-gc bench/soak.mjs [seconds] [clients]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openLanguageModel } from '@palimpsest/harness';
import { startServer } from '@palimpsest/serve';
import { createEngine } from '@palimpsest/tensor-core';

const seconds = Number(process.argv[2] ?? 120);
const clients = Number(process.argv[3] ?? 50);
const ALLOWED_GROWTH = 1.1;

const folder = fileURLToPath(new URL('../../backbone/test/golden/hf/tiny-llama3', import.meta.url));
const sessions = mkdtempSync(join(tmpdir(), 'palimpsest-soak-'));
const engine = await createEngine('onnx', { threads: 1 });
const language = await openLanguageModel(folder, undefined, { window: 60, sinks: 4 });
const failures = [];
const server = await startServer({
  ...{ engine, language: { ...language, endIds: [] }, port: 0, sessions, heldSessions: 16 },
  onFailure: (error) => failures.push(String(error)),
});

const counts = { answered: 0, refused: 0, left: 0, tokens: 0, latencies: [] };
const end = performance.now() + 1000 * seconds;

async function ask(client, turn) {
  const stream = turn % 3 === 1;
  // Of chats, completions, streams and sessions some of each.
  const leaves = turn % 5 === 4;
  const isChat = turn % 2 === 0;
  const body = {
    ...{ model: server.model, stream, max_tokens: 16, seed: turn },
    ...(isChat ? { messages: [{ role: 'user', content: `turn ${turn}` }] } : { prompt: `turn ${turn}` }),
    ...(turn % 4 === 0 && { session: `client-${client}` }),
  };
  const abort = new AbortController();
  if (leaves) setTimeout(() => abort.abort(), 5);
  const start = performance.now();
  try {
    const response = await fetch(`${server.url}/v1/${isChat ? 'chat/' : ''}completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: abort.signal,
    });
    const text = await response.text();
    if (response.status === 429) counts.refused += 1;
    else if (response.status !== 200) failures.push(`${response.status}: ${text}`);
    else if (stream && !text.endsWith('data: [DONE]\n\n'))
      failures.push(`a stream without its end: ${text.slice(-200)}`);
    else {
      counts.answered += 1;
      counts.latencies.push(performance.now() - start);
      counts.tokens += 16;
    }
  } catch (error) {
    if (leaves) counts.left += 1;
    else failures.push(String(error.cause ?? error));
  }
}

const held = [];
const sampler = setInterval(() => {
  globalThis.gc?.();
  held.push(process.memoryUsage.rss());
}, 500);
await Promise.all(
  Array.from({ length: clients }, async (_, client) => {
    for (let turn = client; performance.now() < end; turn++) await ask(client, turn);
  }),
);
clearInterval(sampler);
const saved = await server.close();
await engine.dispose();
rmSync(sessions, { recursive: true, force: true });

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const quarter = Math.max(1, Math.floor(held.length / 4));
const [early, late] = [median(held.slice(quarter, 2 * quarter)), median(held.slice(-quarter))];
const growth = late / early;
console.log(
  `${clients} clients, ${seconds} s: ${counts.answered} answers (${(counts.tokens / seconds).toFixed(0)} tokens/s, median ${median(counts.latencies)?.toFixed(0)} ms), ${counts.refused} refused with 429, ${counts.left} left, ${saved} sessions saved, ${failures.length} errors`,
);
console.log(
  `resident memory: ${(early / 2 ** 20).toFixed(0)} MiB in the second quarter, ${(late / 2 ** 20).toFixed(0)} MiB in the last: x${growth.toFixed(3)}`,
);
for (const failure of new Set(failures)) console.error(failure);
if (failures.length > 0 || growth > ALLOWED_GROWTH) process.exitCode = 1;
