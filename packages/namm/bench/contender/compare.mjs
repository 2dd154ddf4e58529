// One transformer, learned once, asked under every policy's cache: what the pictures of recall against bytes show of them.
//   node bench/contender/compare.mjs
import { mean } from '@palimpsest/base';
import { createEngine, ndarray, Rng } from '@palimpsest/tensor-core';
import { mechanism } from '../../dist/mechanism.js';
import { example, LENGTH, learnedRecall, VOCABULARY } from './recall.mjs';

const TEXTS = 256;
const need = { vocabSize: VOCABULARY, trainLength: LENGTH, longestLength: LENGTH };
const engine = await createEngine('auto', { threads: 1 });
const { params } = await learnedRecall(engine, () => {});
// Not those that the policy was evolved, chosen or judged by.
const held = Array.from({ length: TEXTS }, (_, index) => example(Rng.fromSeed(9 * 2 ** 20 + index)));
const tokens = ndarray(Int32Array.from(held.flatMap(({ inputs }) => [...inputs])), [TEXTS, LENGTH], 'int32');

console.log('| policy | tokens per head | right, % | bytes at most |');
for (const contender of mechanism.contenders) {
  for (const budget of [8, 16, 24]) {
    const given = { width: 32, layers: 2, heads: 2, budget };
    const model = contender.create(need, contender.options.parse(given));
    const reader = await model.reader(engine, params, TEXTS);
    const { data, shape } = await reader.read(tokens);
    const bytes = reader.largestStateBytes / TEXTS;
    await reader.dispose();
    const width = shape[2];
    const isRight = (id, row, at) => {
      const logits = data.subarray((row * LENGTH + at) * width, (row * LENGTH + at + 1) * width);
      return logits.indexOf(logits.reduce((a, b) => Math.max(a, b))) === id;
    };
    const shares = held.map(({ targets }, row) =>
      mean([...targets].flatMap((id, at) => (id < 0 ? [] : [isRight(id, row, at) ? 100 : 0]))),
    );
    const spread = Math.sqrt(mean(shares.map((share) => (share - mean(shares)) ** 2)) / (TEXTS - 1));
    console.log(
      `| ${contender.name} | ${budget} | ${mean(shares).toFixed(1)} ± ${spread.toFixed(1)} | ${bytes.toFixed(0)} |`,
    );
  }
}
await engine.dispose();
