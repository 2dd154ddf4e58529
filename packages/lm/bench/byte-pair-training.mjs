// Learning and applying byte pairs with the index of places, against one pass over the text per merge, in one run.
import { performance } from 'node:perf_hooks';
import { BpeTokenizer, corpusText, generateStories } from '../dist/index.js';

const text = corpusText(generateStories({ characters: 100_000 }));
const merges = 100;

function onePassPerMerge() {
  let ids = [...new TextEncoder().encode(text)];
  for (let merge = 0; merge < merges; merge++) {
    const counts = new Map();
    for (let i = 0; i + 1 < ids.length; i++) {
      const key = ids[i] * 2 ** 21 + ids[i + 1];
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    let best = [-1, 0];
    for (const [key, count] of counts)
      if (count > best[1] || (count === best[1] && key < best[0])) best = [key, count];
    const [left, right] = [Math.floor(best[0] / 2 ** 21), best[0] % 2 ** 21];
    const merged = [];
    for (let i = 0; i < ids.length; i++) {
      const isPair = ids[i] === left && ids[i + 1] === right;
      merged.push(isPair ? 256 + merge : ids[i]);
      if (isPair) i += 1;
    }
    ids = merged;
  }
  return ids.length;
}

function timed(action) {
  const start = performance.now();
  const result = action();
  return { result, milliseconds: performance.now() - start };
}

const options = { vocabSize: 256 + merges, specialTokens: [] };
timed(() => BpeTokenizer.train(text, options));
const plain = timed(onePassPerMerge);
const learning = timed(() => BpeTokenizer.train(text, options));
const encoding = timed(() => learning.result.encode(text).length);
if (encoding.result !== plain.result) throw new Error(`${encoding.result} tokens, expected ${plain.result}`);
console.log(
  `${text.length} characters, ${merges} merges, ${(text.length / encoding.result).toFixed(2)} characters per token`,
);
console.log(`learning, one pass per merge: ${plain.milliseconds.toFixed(0)} ms`);
console.log(
  `learning: ${learning.milliseconds.toFixed(0)} ms, ${(plain.milliseconds / learning.milliseconds).toFixed(1)}x faster`,
);
console.log(`encoding: ${encoding.milliseconds.toFixed(0)} ms`);
