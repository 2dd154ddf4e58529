// What a model loses by weights of fewer bits, on the beginning of a text: ours, llama.cpp's and that of transformers.
//   python scripts/real-weights.py FOLDER smollm2
//   python bench/llama-cpp/models.py FOLDER/SmolLM2-135M-Instruct.Q4_1.gguf FOLDER
//   (cd bench/llama-cpp && npm install --no-package-lock)
//   node bench/llama-cpp/perplexity.mjs FOLDER --text-path FILE [--characters 20000] [--tokens 0] [--python PYTHON]
// --tokens: only the first predictions, 0 for all. --python: one with torch, transformers, accelerate and gguf.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openLanguageModel } from '../../packages/harness/dist/index.js';
import { createDecoder, evaluateText } from '../../packages/lm/dist/index.js';
import { createEngine } from '../../packages/tensor-core/dist/index.js';
import { start } from './worker.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    'text-path': { type: 'string' },
    characters: { type: 'string', default: '20000' },
    tokens: { type: 'string', default: '0' },
    threads: { type: 'string', default: '1' },
    python: { type: 'string' },
  },
});
const [folder] = positionals;
if (folder === undefined || values['text-path'] === undefined) {
  console.error('node bench/llama-cpp/perplexity.mjs FOLDER --text-path FILE');
  process.exit(2);
}
const text = readFileSync(values['text-path'], 'utf8').slice(0, Number(values.characters));
const threads = Number(values.threads);
const SLOTS = 8192;
const engine = await createEngine('onnx', { threads });
const cut = (ids) => (Number(values.tokens) > 0 ? ids.slice(0, Number(values.tokens) + 1) : ids);

const open = (type, weights) =>
  openLanguageModel(`${folder}/${type}.gguf`, undefined, { weights, capacity: SLOTS, engine: engine.name });

async function ours(type, weights) {
  const { model, params, dispose, encodeStart } = await open(type, weights);
  const ids = cut(encodeStart(text));
  const { loss } = await evaluateText(engine, model, params, ids);
  await dispose();
  return { loss, ids };
}

/** The loss as the decoder has it, which reads the text token by token. */
async function decoded(type, weights, ids) {
  const { model, params, dispose } = await open(type, weights);
  const decoder = await createDecoder(engine, model, params);
  let sum = 0;
  for (let at = 0; at + 1 < ids.length; at++) {
    const logits = await decoder.read([ids[at]]);
    const highest = logits.reduce((most, logit) => Math.max(most, logit), Number.NEGATIVE_INFINITY);
    const total = logits.reduce((all, logit) => all + Math.exp(logit - highest), 0);
    sum += Math.log(total) + highest - logits[ids[at + 1]];
  }
  await decoder.dispose();
  await dispose();
  return sum / (ids.length - 1);
}

async function theirs(type, ids) {
  const worker = await start('theirs.mjs', `${folder}/${type}.gguf`, threads, SLOTS);
  const losses = await worker.ask('loss', [...ids]);
  worker.end();
  return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
}

let first;
const row = (who, loss) => {
  first ??= loss;
  const change = `${(100 * (Math.exp(loss - first) - 1)).toFixed(3)} %`;
  console.log(`| ${who} | ${loss.toFixed(5)} | ${Math.exp(loss).toFixed(3)} | ${change} |`);
};
const { loss, ids } = await ours('F32', '32bit');
console.log(`${ids.length - 1} predictions of ${text.length} characters, ${threads} thread(s)\n`);
console.log('| | nats | perplexity | against ours in 32 bits |\n| --- | --- | --- | --- |');
row('ours, 32bit', loss);
if (values.python) {
  const script = fileURLToPath(new URL('loss.py', import.meta.url));
  const words = [script, folder, String(threads)];
  row('transformers, float32', Number(execFileSync(values.python, words, { input: [...ids].join(' ') })));
}
row('ours, 32bit, token by token', await decoded('F32', '32bit', ids));
row('llama.cpp, F32', await theirs('F32', ids));
row('ours, 8bit', (await ours('F32', '8bit')).loss);
row('ours, 8bit, token by token', await decoded('F32', '8bit', ids));
row('llama.cpp, Q8_0', await theirs('Q8_0', ids));
row('ours, 4bit', (await ours('F32', '4bit')).loss);
row('ours, 4bit, token by token', await decoded('F32', '4bit', ids));
row('llama.cpp, Q4_0', await theirs('Q4_0', ids));
await engine.dispose();
