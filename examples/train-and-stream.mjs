// Train a small OSAM on generated stories, then let it write: the memory has the same size after every token.
import {
  CharacterTokenizer,
  ContiguousLanes,
  corpusText,
  encodeCorpus,
  generate,
  generateStories,
  Session,
  train,
} from '@palimpsest/lm';
import { createOsamModel } from '@palimpsest/osam';
import { createEngine } from '@palimpsest/tensor-core';

const corpus = generateStories({ characters: 40_000 });
const tokenizer = CharacterTokenizer.fromText(corpusText(corpus));
const model = createOsamModel({
  vocabSize: tokenizer.vocabSize,
  dModel: 32,
  sketchDim: 128,
  readoutHidden: 64,
});
const engine = await createEngine('auto');
const source = new ContiguousLanes(encodeCorpus(tokenizer, corpus).ids, { batch: 16, time: 32 });

let params;
for await (const event of train({
  engine,
  model,
  source,
  settings: { steps: 150, learningRate: 0.01, seed: 1 },
})) {
  if (event.type === 'step' && event.step % 50 === 0)
    console.log(`step ${event.step}: loss ${event.loss.toFixed(2)}`);
  if (event.type === 'end') params = event.params;
}

const session = await Session.create({ engine, model, params });
const sampling = { temperature: 0.7 };
for await (const { text } of generate({ session, tokenizer, prompt: 'The ', maximumTokens: 120, sampling })) {
  process.stdout.write(text);
}
console.log(`\n${session.stateBytes} bytes of memory, before and after`);
await session.dispose();
await engine.dispose();
