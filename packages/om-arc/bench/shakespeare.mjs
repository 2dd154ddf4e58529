// node bench/shakespeare.mjs TEXT OM_RUN [TRANSFORMER_RUN]: nats per character on the last tenth of a text: n-gram tables counted on
// the rest; Om with its state carried through, and by the number of a segment with and without what the segments before it left; a
// transformer in windows, and with its cache carried. ENGINE and THREADS in the environment.
import { mechanism as transformers } from '../../backbone/dist/mechanism.js';
import {
  corpusText,
  Evaluator,
  loadCheckpoint,
  loadCorpus,
  ngramFloors,
  splitCorpus,
} from '../../lm/dist/index.js';
import { createEngine, disposeTree, logSoftmax, ndarray, tf } from '../../tensor-core/dist/index.js';
import { contextIds, OmLLM } from '../dist/index.js';
import { mechanism as om } from '../dist/mechanism.js';

/** Segments of the texts into which the held-out text is cut for the loss by segment, and texts read side by side. */
const [SEGMENTS, BATCH] = [16, 32];
const [text, omRun, transformerRun] = process.argv.slice(2);
const registry = Object.fromEntries(
  [om, transformers]
    .flatMap(({ architectures }) => architectures)
    .map(({ name, restore }) => [name, restore]),
);
const { train, validation } = splitCorpus(loadCorpus(text), 0.1);
const engine = await createEngine(process.env.ENGINE ?? 'onnx', {
  threads: Number(process.env.THREADS ?? 1),
});
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const show = (name, loss) => console.log(`${name.padEnd(52)} ${loss.toFixed(4)} nats`);

async function evaluate({ model, params, tokenizer }, options) {
  const evaluator = new Evaluator(engine, model, { tokenizer, ...options });
  const { loss } = await evaluator.run(params, tokenizer.encode(corpusText(validation)));
  await evaluator.dispose();
  return loss;
}

/** Mean loss of every segment of texts `[batch, segments]`, each with the ids before it that the n-grams look at. */
function segmentLosses(config, isCarried) {
  const model = new OmLLM(config);
  const [g, N] = [contextIds(config), config.segmentLen];
  return (params, ids) => {
    const [batch, length] = ids.shape;
    const count = length - g - 1;
    const cut = (start, width) => tf.slice(ids, [0, start], [batch, width]);
    const starts = isCarried ? [0] : Array.from({ length: count / N }, (_, s) => s * N);
    const losses = starts.map((start) => {
      const read = isCarried ? count : N;
      const { logits } = model.forward(params, cut(start, g + read), []);
      const own = tf.slice(logits, [0, 0, 0], [-1, -1, config.vocabSize]);
      const right = tf.oneHot(cut(start + g + 1, read), config.vocabSize);
      const each = tf.neg(tf.sum(tf.mul(logSoftmax(own), right), -1));
      return tf.mean(tf.reshape(each, [batch, read / N, N]), -1);
    });
    return losses.length === 1 ? losses[0] : tf.concat(losses, 1);
  };
}

/** Mean loss by the number of the segment in its text, from 0 on. */
async function lossBySegment({ model, params, tokenizer }, isCarried) {
  const { options: config } = model;
  const [g, width] = [contextIds(config), SEGMENTS * config.segmentLen];
  const ids = tokenizer.encode(corpusText(validation));
  const texts = Array.from({ length: Math.floor((ids.length - 1) / width) }, (_, t) =>
    Array.from({ length: g + width + 1 }, (_, i) => ids[t * width + i - g] ?? config.padId),
  );
  const compiled = engine.compile(segmentLosses(config, isCarried));
  const rows = [];
  for (let at = 0; at < texts.length; at += BATCH) {
    const batch = texts.slice(at, at + BATCH);
    const data = Int32Array.from(batch.flat());
    const result = await compiled(params, ndarray(data, [batch.length, g + width + 1], 'int32'));
    const values = await result.data();
    batch.forEach((_, row) => {
      rows.push(values.slice(row * SEGMENTS, (row + 1) * SEGMENTS));
    });
    disposeTree(result);
  }
  await compiled.dispose();
  return Array.from({ length: SEGMENTS }, (_, s) => mean(rows.map((row) => row[s])));
}

const omModel = await loadCheckpoint(omRun, registry);
const [trainIds, validationIds] = [train, validation].map((part) =>
  omModel.tokenizer.encode(corpusText(part)),
);
for (const { name, loss } of ngramFloors(trainIds, validationIds, {
  vocabSize: omModel.tokenizer.vocabSize,
})) {
  show(name, loss);
}
const { segmentLen } = omModel.model.options;
show('Om, the whole text streamed', await evaluate(omModel, { chunk: SEGMENTS * segmentLen }));
const carried = await lossBySegment(omModel, true);
const reset = await lossBySegment(omModel, false);
show(`Om, texts of ${SEGMENTS} segments of ${segmentLen}, state carried`, mean(carried));
show('Om, the same texts, state reset at every segment', mean(reset));
console.log('segment   carried     reset   the state is worth');
carried.forEach((loss, s) => {
  console.log(
    `${String(s + 1).padStart(7)}  ${loss.toFixed(4).padStart(8)}  ${reset[s].toFixed(4).padStart(8)}  ${(reset[s] - loss).toFixed(4).padStart(19)}`,
  );
});
if (transformerRun) {
  const transformer = await loadCheckpoint(transformerRun, registry);
  const { context } = transformer.model.config;
  const windows = await evaluate(transformer, { regime: 'windowed', chunk: context, lanes: BATCH });
  show(`transformer, windows of ${context}`, windows);
  show(`transformer, cache of ${context} carried`, await evaluate(transformer, { chunk: context }));
}
await engine.dispose();
