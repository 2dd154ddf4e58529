// Prints the n-gram floors of a text: node bench/ngram-floors.mjs <text file>
import { performance } from 'node:perf_hooks';
import { CharacterTokenizer, corpusText, loadCorpus, ngramFloors, splitCorpus } from '../dist/index.js';

const source = process.argv[2] ?? 'stories';
const corpus = loadCorpus(source);
const { train, validation } = splitCorpus(corpus, 0.1);
const tokenizer = CharacterTokenizer.fromText(corpusText(corpus));
const [trainIds, validationIds] = [train, validation].map((part) => tokenizer.encode(corpusText(part)));
console.log(
  `${source}: ${tokenizer.vocabSize} characters, ${trainIds.length} train, ${validationIds.length} validation`,
);
const start = performance.now();
for (const { name, loss, bits } of ngramFloors(trainIds, validationIds, { vocabSize: tokenizer.vocabSize })) {
  console.log(`${name.padEnd(8)} ${loss.toFixed(3)} nats  ${bits.toFixed(2)} bits`);
}
console.log(`${((performance.now() - start) / 1000).toFixed(1)} s`);
