// A model of ours, asked one thing at a time by compare.mjs: node ours.mjs FILE WEIGHTS THREADS SLOTS
import { openLanguageModel } from '../../packages/harness/dist/index.js';
import { generate, Session } from '../../packages/lm/dist/index.js';
import { createEngine } from '../../packages/tensor-core/dist/index.js';
import { serve, someIds } from './worker.mjs';

const [file, weights, threads, slots] = process.argv.slice(2);
const engine = await createEngine('onnx', { threads: Number(threads) });
const language = await openLanguageModel(file, undefined, {
  weights,
  capacity: Number(slots),
  engine: engine.name,
});
const { model, params, tokenizer } = language;
const session = await Session.create({ engine, model, params });

await serve({
  /** As `palimpsest generate` writes, with its own way of drawing. */
  async decode(count) {
    const times = [];
    let last;
    const prompt = someIds(32);
    for await (const { type } of generate({
      session,
      tokenizer,
      prompt,
      maximumTokens: count + 1,
      stopIds: [],
    })) {
      if (type !== 'token') break;
      const now = performance.now();
      if (last !== undefined) times.push(now - last);
      last = now;
    }
    return times;
  },
  async prefill(count) {
    const start = performance.now();
    await session.prefill(someIds(count));
    return [performance.now() - start];
  },
  /** Drawing alone: the token is read when the next one is wanted. */
  async draw(count) {
    const times = [];
    for (let drawn = 0; drawn < count; drawn++) {
      await session.logits();
      const start = performance.now();
      await session.next();
      times.push(performance.now() - start);
    }
    return times;
  },
});
await session.dispose();
await engine.dispose();
await language.dispose();
