/**
 * How long the reply to one client waits for its next token while the long prompt of another is read.
 * `node bench/turns.mjs FILE.gguf [--weights 8bit] [--threads 2] [--tokens 2000]`
 */
import { parseArgs } from 'node:util';
import { openLanguageModel } from '@palimpsest/harness';
import { startServer } from '@palimpsest/serve';
import { createEngine } from '@palimpsest/tensor-core';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    weights: { type: 'string', default: '8bit' },
    threads: { type: 'string', default: '2' },
    tokens: { type: 'string', default: '2000' },
  },
});
const [path] = positionals;
if (path === undefined) {
  console.error('node bench/turns.mjs FILE.gguf [--weights 8bit] [--threads 2] [--tokens 2000]');
  process.exit(2);
}
const WARM = 60;
const engine = await createEngine('onnx', { threads: Number(values.threads) });
const language = await openLanguageModel(path, undefined, { weights: values.weights, engine: engine.name });
const server = await startServer({ engine, language, port: 0 });
const ask = (body, signal) =>
  fetch(`${server.url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: server.model, ...body }),
    signal,
  });
const ids = (count) => Array.from({ length: count }, (_, index) => 300 + ((index * 7919) % 40_000));

/** Times of the tokens of a reply, as they come. */
const times = [];
const leaving = new AbortController();
const reply = await ask({ prompt: ids(40), max_tokens: 4000, stream: true }, leaving.signal);
const reading = (async () => {
  const decoder = new TextDecoder();
  for await (const bytes of reply.body) {
    for (const _ of decoder.decode(bytes).matchAll(/^data: \{/gm)) times.push(performance.now());
  }
})().catch(() => undefined);
while (times.length < WARM) await new Promise((resolve) => setTimeout(resolve, 5));
const begun = performance.now();
await (await ask({ prompt: ids(Number(values.tokens)), max_tokens: 1 })).json();
const ended = performance.now();
leaving.abort();
await reading;

const gaps = (from, to) =>
  times
    .map((time, index) => [time, time - times[index - 1]])
    .filter(([time, gap]) => gap >= 0 && time >= from && time <= to)
    .map(([, gap]) => gap)
    .sort((a, b) => a - b);
const shown = (list) =>
  `median ${list[list.length >> 1].toFixed(1)} ms, longest ${list.at(-1).toFixed(1)} ms (${list.length} tokens)`;
console.log(`alone: ${shown(gaps(0, begun))}`);
console.log(
  `while ${values.tokens} tokens are read in ${(ended - begun).toFixed(0)} ms: ${shown(gaps(begun, ended))}`,
);
await server.close();
await engine.dispose();
await language.dispose();
