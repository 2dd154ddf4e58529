// Our side of the comparison: per kind of work what it is checked by, and one call of it.
import * as lm from '../../packages/lm/dist/index.js';
import { createUpdate } from '../../packages/namm/bench/one-update.mjs';
import * as core from '../../packages/tensor-core/dist/index.js';
import { VOCABULARY } from './models.mjs';

const rng = core.Rng.fromSeed(2);
export const randomIds = (count) => Int32Array.from({ length: count }, () => rng.int(VOCABULARY));

/** Arrays of a tree as safetensors take them, by path. */
const named = (tree) =>
  Object.fromEntries(
    core
      .treeLeaves(tree)
      .map(({ path, leaf: { dtype, shape, data } }) => [
        path,
        { dtype: dtype === 'int32' ? 'I32' : 'F32', shape, data },
      ]),
  );

async function elapsed(call) {
  const begin = performance.now();
  await call();
  return performance.now() - begin;
}

/** The optimiser of worker.py. */
const settings = lm.parseTraining({ telemetry: false, betas: [0.9, 0.99], decayed: 'all' });

async function train(engine, model, params, { size: [batch, time] }) {
  const source = { batch, time, carriesState: false, hasIgnoredTargets: false };
  const rules = lm.parameterRules(model, params, settings);
  const step = new lm.TrainingStep(engine, model, source, settings, rules);
  await step.begin(params);
  const ids = (data) => core.ndarray(data, [batch, time], 'int32');
  const resets = core.ndarray(new Int32Array(batch).fill(1), [batch], 'int32');
  const run = (inputs, targets) =>
    step.run([{ inputs: ids(inputs), targets: ids(targets), resets }], {
      learningRate: 1e-3,
      dropoutKeys: [core.zeros([2], 'int32')],
    });
  /** The next id of every place, of a text's last place the first. */
  const turned = (data) => data.map((_, at) => data[(at + 1) % time === 0 ? at + 1 - time : at + 1]);
  return {
    ids: randomIds(3 * batch * time),
    async check(data) {
      const values = [];
      for (let at = 0; at < data.length; at += batch * time) {
        const inputs = data.slice(at, at + batch * time);
        const { loss, gradientNorm } = await run(inputs, turned(inputs));
        values.push(loss, gradientNorm);
      }
      return values;
    },
    run: () => elapsed(() => run(randomIds(batch * time), randomIds(batch * time))),
    dispose: () => step.dispose(),
  };
}

async function read(engine, model, params, { size: [time] }) {
  const decoder = await lm.createDecoder(engine, model, params);
  const begun = async (ids) => {
    await decoder.reset();
    return decoder.read(ids);
  };
  return {
    ids: randomIds(time),
    check: begun,
    run: () => elapsed(() => begun(randomIds(time))),
    dispose: () => decoder.dispose(),
  };
}

async function decode(engine, model, params, { size: [time], prompt = 0 }) {
  const decoder = await lm.createDecoder(engine, model, params);
  const begin = async (ids) => {
    await decoder.reset();
    if (ids.length > 0) await decoder.read(ids);
  };
  return {
    ids: randomIds(prompt + time),
    async check(ids) {
      await begin(ids.slice(0, -time));
      let logits;
      for (const id of ids.slice(-time)) logits = await decoder.read([id]);
      return logits;
    },
    async run(prefix) {
      await begin(prefix);
      return elapsed(async () => {
        for (let i = 0, id = 0; i < time; i++) id = likeliest(await decoder.read([id]));
      });
    },
    dispose: () => decoder.dispose(),
  };
}

function likeliest(logits) {
  let result = 0;
  for (let id = 1; id < logits.length; id++) if (logits[id] > logits[result]) result = id;
  return result;
}

const works = { train, read, decode };

/**
 * @param name of the work
 * @param comparison of models.mjs
 * @returns `arrays` for the other side, `parameters`, `ids` to check with, `check` (numbers), `run` (milliseconds), `dispose`
 */
export async function prepareOurs(engine, name, comparison) {
  const work = comparison.works[name];
  if (name === 'update') {
    const { own, arrays, dispose } = createUpdate(engine, work.size[0]);
    const check = async () => (await own()).scores.data;
    return {
      arrays: named(arrays),
      parameters: arrays.vector.data.length,
      ids: [],
      check,
      run: () => elapsed(own),
      dispose,
    };
  }
  const context = name === 'train' ? work.size[1] : work.size[0] + (work.prompt ?? 0);
  const model = comparison.ours(name, context);
  const params = model.init(core.Rng.fromSeed(1));
  const arrays = { ...named(params), ...comparison.tables?.(model) };
  return {
    arrays,
    context,
    parameters: lm.countParameters(params),
    ...(await works[name](engine, model, params, work)),
  };
}
