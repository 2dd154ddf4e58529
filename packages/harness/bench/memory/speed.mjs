/**
 * Speed and size of the memory of AMS v4 over the session model that ships: writing, the first token against everything in the prompt,
 * a step of the published trainer against its schedule of single passes, bytes per memory from the arrays. Milliseconds of processor
 * time of one process on one thread, which other programs do not lengthen as they do wall time: median (least).
 * node bench/memory/speed.mjs [--rounds 15] [--threads 1]
 */
import { parseArgs } from 'node:util';
import {
  crossBundlePrefix,
  featuresOf,
  KeyValueMemory,
  MemLLM4,
  TextModel,
  Trainer4,
} from '../../../ams-v4/dist/index.js';
import {
  createEngine,
  crossEntropy,
  disposeTree,
  ndarray,
  takeToHost,
  tf,
  valueAndGradient,
} from '../../../tensor-core/dist/index.js';
import { generateSession, loadPocket, standardPack } from '../../dist/index.js';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '15' }, threads: { type: 'string', default: '1' } },
});
const [rounds, threads] = [Number(values.rounds), Number(values.threads)];

const engine = await createEngine('auto', { threads });
const { frozen, adapters } = await loadPocket();
const text = new TextModel(engine, frozen);
const pack = standardPack();
const sessionOf = (seed, facts) => generateSession(pack, { seed, facts, queries: 10, split: 'all' });

const sorted = (times) => times.toSorted((a, b) => a - b);
const median = (times) => sorted(times)[Math.floor(times.length / 2)];
const told = (times) => `${median(times).toFixed(2)} (${sorted(times)[0].toFixed(2)}) ms`;
const ratio = (slow, fast) =>
  `${(median(slow) / median(fast)).toFixed(1)} (${(sorted(slow)[0] / sorted(fast)[0]).toFixed(1)})`;

const cpu = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

/**
 * Milliseconds of actions by turns, so that what else the machine does meets all alike.
 * @param turn how often an action is repeated before it is the turn of the next: what is used over and over finds its memory near the processor
 */
async function timed(actions, count = rounds, turn = 1) {
  const times = Object.fromEntries(Object.keys(actions).map((name) => [name, []]));
  for (let round = -2 * turn; round < count; round += turn) {
    for (const [name, action] of Object.entries(actions)) {
      for (let i = 0; i < turn; i++) {
        const start = cpu();
        await action(Math.max(round, 0));
        if (round >= 0) times[name].push(cpu() - start);
      }
    }
  }
  return times;
}

// Writing.
const BATCH = 128;
const batch = sessionOf(1, BATCH).facts.map((fact) => fact.text);
const writing = await timed({
  write: async () => {
    const memory = new KeyValueMemory(text, adapters);
    await memory.writeMany(batch);
    await memory.dispose();
  },
});
const each = writing.write.map((time) => time / BATCH);
const told128 = new KeyValueMemory(text, adapters);
await told128.writeMany(batch);
const read = await featuresOf(text, told128.config, told128.config.memoryForm, batch);
const uncoded = told128.store.allMids().map((mid, i) => ({ mid, rows: read[i].rows }));
const coding = await timed({ encode: () => told128.bank.setMany(uncoded) });
console.log(
  `write, in batches: ${told(each)} per sentence, of which coding ${told(coding.encode.map((time) => time / BATCH))}`,
);

// Bytes.
const bytes = told128.bytes();
const parts = Object.entries(bytes).map(([part, count]) => `${part} ${(count / BATCH).toFixed(0)}`);
console.log(`bytes per memory: ${parts.join(', ')}`);

// First token.
const SIZES = [10, 50, 100, 1000];
const memories = new Map();
for (const size of SIZES) {
  const memory = new KeyValueMemory(text, adapters);
  const facts = [];
  for (let seed = 1; facts.length < size; seed++) {
    facts.push(...sessionOf(seed, Math.min(size, 100)).facts.map((fact) => fact.text));
  }
  await memory.writeMany(facts.slice(0, size));
  memories.set(size, {
    memory,
    facts: facts.slice(0, size),
    queries: sessionOf(1, Math.min(size, 100)).queries,
  });
}
const first = await timed({
  ...Object.fromEntries(
    SIZES.map((size) => {
      const { memory, queries } = memories.get(size);
      return [`A ${size}`, (round) => memory.answer([queries[round % 10].text], { maxTokens: 1 })];
    }),
  ),
  'D 50': (() => {
    const { facts, queries, memory } = memories.get(50);
    const before = facts.map((fact) => `User: ${fact}\n`).join('');
    const prompts = queries.map((query) =>
      text.encode(before + memory.config.queryForm.replace('{text}', query.text)),
    );
    return (round) => text.continue([prompts[round % 10]], 1);
  })(),
});
for (const [name, times] of Object.entries(first))
  console.log(`first token, ${name} memories: ${told(times)}`);
console.log(
  `D over A at 50: ${ratio(first['D 50'], first['A 50'])}; A at 1,000 over A at 10: ${ratio(first['A 1000'], first['A 10'])}`,
);
for (const { memory } of memories.values()) await memory.dispose();

// The trainer.
const published = new MemLLM4(frozen, { engine, memory: {} });
const trainer = new Trainer4(published);
const { model } = published.text;
const single = engine.compile(
  (weights, tokens, labels, prefix) =>
    valueAndGradient((soft) => {
      const state = model.initState(weights, 1);
      const { logits } = model.run(weights, { tokens, softPrefix: soft }, state, { logits: 'all' });
      return crossEntropy(tf.reshape(logits, [-1, logits.shape.at(-1)]), labels, { ignoreIndex: -1 });
    }, prefix),
  { name: 'one text behind a prefix', freeze: [0] },
);
const { lMem, dLLM } = published.config;

const alone = new MemLLM4(frozen, { engine, memory: {} });
const updates = new Trainer4(alone);
const prefixOf = engine.compile(
  (parameters, query, fibers) => crossBundlePrefix(parameters, alone.config, query, fibers),
  { name: 'prefix of one text' },
);
const prefixBack = engine.compile(
  (parameters, queries, fibers, slopes) =>
    valueAndGradient(
      (given) =>
        tf.sum(tf.mul(crossBundlePrefix(given.parameters, alone.config, queries, given.fibers), slopes)),
      { parameters, fibers },
    ).gradients,
  { name: 'way back through the prefixes' },
);
const stacked = (rows, shape) => {
  const size = rows[0].data.length;
  const data = new Float32Array(rows.length * size);
  for (const [i, row] of rows.entries()) data.set(row.data, i * size);
  return ndarray(data, [rows.length, ...shape]);
};

/**
 * The published schedule: each text by itself is written, read for its coordinates, and its first half asks for its prefix, behind which it
 * takes a pass forth and back with logits of every token; then one way back for the whole batch through the prefixes (here), and through the
 * encoders and the other losses with the update, which a step over texts does that are too short for a prefix.
 */
async function passes(texts) {
  alone.clear();
  const attention = engine.put(alone.adapters.cross_attn);
  const hidden = [];
  for (const one of texts) await alone.write(one);
  for (const one of texts) hidden.push(await alone.pool([text.encode(one)]));
  const states = stacked(hidden, [dLLM]);
  const zeros = (width) => ndarray(new Float32Array(texts.length * width), [texts.length, width]);
  const coordinates = await alone.encode({
    hidden: states,
    centroids: zeros(dLLM),
    timeScalars: zeros(3),
    surprise: ndarray(new Float32Array(texts.length), [texts.length]),
    sessionSummary: states,
  });
  const fibers = {
    time: coordinates.time.fiber,
    topic: coordinates.topic.fiber,
    ctx: coordinates.ctx.fiber,
  };
  const [queries, slopes] = [[], []];
  for (const one of texts) {
    const ids = text.encode(one);
    const half = Math.max(1, Math.floor(ids.length / 2));
    const query = await alone.pool([ids.slice(0, half)]);
    const prefix = await prefixOf(attention, query, fibers);
    const labels = Int32Array.from({ length: lMem + ids.length }, (_, t) =>
      t >= lMem + half - 1 && t < lMem + ids.length - 1 ? ids[t - lMem + 1] : -1,
    );
    const { gradients } = await takeToHost(
      await single(
        alone.text.weights,
        ndarray(Int32Array.from(ids), [1, ids.length], 'int32'),
        ndarray(labels, [labels.length], 'int32'),
        prefix,
      ),
    );
    prefix.dispose();
    queries.push(query);
    slopes.push(gradients);
  }
  const back = await prefixBack(attention, stacked(queries, [dLLM]), fibers, stacked(slopes, [lMem, dLLM]));
  disposeTree([back, attention]);
  await updates.step(texts.map(() => 'Yes.'));
}
/** Steps of a training follow each other, in either schedule. */
const TURN = 10;
for (const size of [3, 12]) {
  const texts = batch.slice(0, size);
  const steps = await timed(
    { step: () => trainer.step(texts), passes: () => passes(texts) },
    2 * rounds,
    TURN,
  );
  console.log(
    `trainer, ${size} texts: step ${told(steps.step)}, single passes ${told(steps.passes)}, ${ratio(steps.passes, steps.step)} times`,
  );
}
await engine.dispose();
