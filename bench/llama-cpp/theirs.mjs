// llama.cpp, asked one thing at a time: node theirs.mjs FILE THREADS SLOTS; or its first token and no more: … first
import { getLlama, LlamaLogLevel } from 'node-llama-cpp';
import { serve, someIds } from './worker.mjs';

const [file, threads, slots, only] = process.argv.slice(2);
const llama = await getLlama({
  gpu: false,
  build: 'never',
  logLevel: LlamaLogLevel.error,
  maxThreads: Number(threads),
});
const model = await llama.loadModel({ modelPath: file, gpuLayers: 0 });
const context = await model.createContext({
  contextSize: Number(slots),
  batchSize: 512,
  threads: Number(threads),
});
const sequence = context.getSequence();

/** Ids that follow a prompt, the likeliest ones: its usual way of drawing, and the cheapest. */
async function* following(prompt) {
  await sequence.clearHistory();
  yield* sequence.evaluate(prompt, { temperature: 0 });
}

if (only === 'first') {
  for await (const id of following(model.tokenize('To be, or not to be'))) {
    process.stdout.write(`${model.detokenize([id])}\n`);
    break;
  }
  process.exit();
}

await serve({
  async decode(count) {
    const times = [];
    let last;
    for await (const _ of following(someIds(32))) {
      const now = performance.now();
      if (last !== undefined) times.push(now - last);
      last = now;
      if (times.length === count) break;
    }
    return times;
  },
  async prefill(count) {
    await sequence.clearHistory();
    const start = performance.now();
    await sequence.evaluateWithoutGeneratingNewTokens(someIds(count));
    return [performance.now() - start];
  },
  /** Negative log-likelihood of every id but the first, in nats. */
  async loss(ids) {
    await sequence.clearHistory();
    const losses = [];
    const wanted = {
      generateNext: { probabilities: true, options: { temperature: 1, topK: 0, topP: 1, minP: 0 } },
    };
    for (let at = 0; at < ids.length - 1; at += 128) {
      const piece = ids.slice(at, Math.min(at + 128, ids.length - 1));
      await sequence.controlledEvaluate(
        piece.map((id) => [id, wanted]),
        {
          onTokenResult: (index, { next }) =>
            losses.push(-Math.log(next.probabilities.get(ids[at + index + 1]))),
        },
      );
    }
    return losses;
  },
});
process.exit();
