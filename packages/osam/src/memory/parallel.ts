import { stopGradient, tf } from '@palimpsest/tensor-core';
import type { OsamConfig } from '../config.js';
import { keepsValues } from '../state.js';
import { applySketch, type BlockPlan } from '../tables.js';
import { scaleFeatures } from './feature/feature-scale.js';
import { unitarySpectrum } from './feature/fourier.js';
import { chooseForm, featureFormOf } from './feature/index.js';
import { type MemoryInput, type MemoryOutput, type MemoryReader, valueDecays } from './memory.js';
import { exclusivePrefixSum } from './prefix-sum.js';
import { readValues } from './value/value-path.js';

/**
 * The memory over a whole run at once (DERIVATION.md, "Compact state"): compact state, prefix sums over time, the feature path in the chosen
 * form and the value path as chunked linear attention.
 */
export const readParallel: MemoryReader = (input, config, plan) => {
  const detached = config.gradientFlow === 'detached';
  const cut = (x: tf.Tensor) => (detached ? stopGradient(x) : x);
  const rows = sketchRows({ ...input, key: cut(input.key) }, config, plan);
  const feature = config.featurePath ? readFeatures(input, rows, config, plan) : undefined;
  const values = keepsValues(config)
    ? readValueMemory(
        { ...input, value: cut(input.value) },
        { ...rows, ...(rows.valueQuery && { valueQuery: cut(rows.valueQuery) }) },
        config,
      )
    : undefined;
  return {
    ...feature,
    ...(values?.raw && { raw: values.raw }),
    state: { ...feature?.state, ...(values && { valueMemory: values.memory }) },
  };
};

/** Complex rows of a run as the two memories take them: sketched, or for the exact value kernel plain. */
interface SketchedRows {
  /** Queries of the reading tokens, [batch, reads, 2 uQuery]. */
  readonly featureQuery?: tf.Tensor | undefined;
  /** [batch, time, 2 uKey]. */
  readonly featureKey?: tf.Tensor | undefined;
  /** [batch, reads, 2 w heads]. */
  readonly valueQuery?: tf.Tensor | undefined;
  readonly valueKey: tf.Tensor;
}

/** Sketches every row once. Behind the sketch the value path uses the keys' table on both sides. */
function sketchRows(
  { query, key, schedule }: MemoryInput,
  config: OsamConfig,
  plan: BlockPlan,
): SketchedRows {
  const exact = config.valueKernel === 'exact';
  const selected = schedule?.select(query);
  const featureQuery = selected && config.featurePath ? applySketch(selected, plan.query) : undefined;
  const featureKey = config.featurePath || !exact ? applySketch(key, plan.key) : undefined;
  const sameTable = featureQuery !== undefined && plan.query === plan.key;
  const sketchedQuery = () => (sameTable ? featureQuery : selected && applySketch(selected, plan.key));
  const valueQuery = exact ? selected : sketchedQuery();
  return {
    featureQuery,
    featureKey,
    valueQuery,
    valueKey: exact ? key : featureKey!,
  };
}

/** Tokens per chunk, rounded up to whole groups of the read schedule. */
function chunkLength({ schedule }: MemoryInput, config: OsamConfig): number {
  const every = schedule?.every ?? 1;
  return every * Math.ceil(config.chunk / every);
}

function readFeatures(
  input: MemoryInput,
  { featureQuery, featureKey }: SketchedRows,
  config: OsamConfig,
  plan: BlockPlan,
): MemoryOutput {
  const { state, schedule, featureWeight } = input;
  const keys = featureKey!;
  const initial = config.gradientFlow === 'detached' ? stopGradient(state.keySum!) : state.keySum!;
  const sums = exclusivePrefixSum(keys, initial, config.decay, config.chunk);
  const form = chooseForm(config, plan);
  const cached = config.freqCache ? advanceSpectrum(keys, input, config, plan, form === 'fft') : undefined;
  const next = { keySum: sums.last, spectrum: cached?.last };
  if (!schedule) return { state: next };
  const queries = featureQuery!;
  const [batch, reads] = queries.shape as [number, number];
  const flat = (x: tf.Tensor) => tf.reshape(x, [batch * reads, -1]);
  const spectrum = cached?.before && schedule.select(cached.before);
  const output = featureFormOf(form)(
    {
      query: flat(queries),
      prefix: flat(schedule.select(sums.before)),
      spectrum: spectrum && tf.reshape(spectrum, [batch * reads, config.sketchDim, 2]),
      weight: featureWeight!,
      energy: config.featureScale === 'rms' ? 'differentiable' : input.wantNorm ? 'reported' : 'none',
      wantPsi: input.wantPsi,
    },
    plan,
  );
  const scaled = scaleFeatures(output, tf.reshape(schedule.select(input.positionScale), [-1, 1]), config);
  const rows = (x: tf.Tensor) => tf.reshape(x, [batch, reads, -1]);
  return {
    feature: rows(scaled.projected),
    psi: scaled.psi && rows(scaled.psi),
    psiNorm: scaled.norm && tf.reshape(scaled.norm, [batch, reads]),
    state: next,
  };
}

/** Spectra of the key sum before every token, flattened [batch, time, 2 m], if asked for, and after the last. */
function advanceSpectrum(
  keys: tf.Tensor,
  { state }: MemoryInput,
  config: OsamConfig,
  plan: BlockPlan,
  perToken: boolean,
): { before?: tf.Tensor; last: tf.Tensor } {
  const [batch, time] = keys.shape as [number, number];
  const m = config.sketchDim;
  const stored = tf.reshape(state.spectrum!, [batch, 2 * m]);
  const initial = config.gradientFlow === 'detached' ? stopGradient(stored) : stored;
  const asSpectrum = (x: tf.Tensor) => tf.reshape(x, [batch, m, 2]);
  if (perToken) {
    const spectra = tf.reshape(unitarySpectrum(keys, plan.key), [batch, time, 2 * m]);
    const { before, last } = exclusivePrefixSum(spectra, initial, config.decay, config.chunk);
    return { before, last: asSpectrum(last) };
  }
  // The transform is linear: one transform of the run's sum stands for one per token.
  const width = keys.shape[2]!;
  const added = exclusivePrefixSum(keys, tf.zeros([batch, width]), config.decay, config.chunk).last;
  const kept = config.decay === 1 ? initial : tf.mul(initial, config.decay ** time);
  return { last: tf.add(asSpectrum(kept), unitarySpectrum(added, plan.key)) };
}

/** Complex rows [batch, time, 2 w heads] per head: [batch, heads, time, 2 w]. */
function splitHeads(x: tf.Tensor, heads: number): tf.Tensor {
  if (heads === 1) return tf.expandDims(x, 1);
  const [batch, time, width] = x.shape as [number, number, number];
  const parts = tf.reshape(x, [batch, time, 2, heads, width / 2 / heads]);
  return tf.reshape(tf.transpose(parts, [0, 3, 1, 2, 4]), [batch, heads, time, width / heads]);
}

function splitValueHeads(x: tf.Tensor, heads: number): tf.Tensor {
  if (heads === 1) return tf.expandDims(x, 1);
  const [batch, time, width] = x.shape as [number, number, number];
  return tf.transpose(tf.reshape(x, [batch, time, heads, width / heads]), [0, 2, 1, 3]);
}

function joinHeads(x: tf.Tensor): tf.Tensor {
  const [batch, heads, time, width] = x.shape as [number, number, number, number];
  return tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [batch, time, heads * width]);
}

/** The value memory's keys per head: the plain channels, or behind the keys' sketch. */
export function valueKeys(x: tf.Tensor, config: OsamConfig, plan: BlockPlan): tf.Tensor {
  return splitHeads(config.valueKernel === 'exact' ? x : applySketch(x, plan.key), config.heads);
}

/** Queries with the sign of i squared on their imaginary parts, per head. */
function signedQueries(rows: tf.Tensor, heads: number): tf.Tensor {
  const width = rows.shape[2]! / 2;
  const signs = Float32Array.from({ length: 2 * width }, (_, index) => (index < width ? 1 : -1));
  return splitHeads(tf.mul(rows, tf.tensor1d(signs)), heads);
}

function readValueMemory(
  input: MemoryInput,
  { valueKey, valueQuery }: SketchedRows,
  config: OsamConfig,
): { raw?: tf.Tensor; memory: tf.Tensor } {
  const { state, schedule } = input;
  const key = splitHeads(valueKey, config.heads);
  const value = splitValueHeads(input.value, config.heads);
  const memory = config.gradientFlow === 'detached' ? stopGradient(state.valueMemory!) : state.valueMemory!;
  const decays = valueDecays(config);
  const reads = schedule !== undefined && config.enableValuePath;
  if (!reads) return { memory: writeOnly(key, value, memory, decays) };
  const query = signedQueries(valueQuery!, config.heads);
  const chunk = chunkLength(input, config);
  const read = readValues({ query, key, value, memory, decays, schedule, chunk });
  return {
    raw: tf.mul(joinHeads(read.raw), schedule.select(input.valueScale)),
    memory: read.memory,
  };
}

/** The memory after a run that nobody reads. */
function writeOnly(
  key: tf.Tensor,
  value: tf.Tensor,
  memory: tf.Tensor,
  decays: readonly number[],
): tf.Tensor {
  const time = key.shape[2]!;
  const ages = tf.tensor4d(
    decays.flatMap((decay) => Array.from({ length: time }, (_, index) => decay ** (time - 1 - index))),
    [1, decays.length, time, 1],
  );
  const kept = tf.tensor4d(
    decays.map((decay) => decay ** time),
    [1, decays.length, 1, 1],
  );
  const added = tf.matMul(tf.mul(key, ages) as tf.Tensor4D, value as tf.Tensor4D, true, false);
  return tf.add(tf.mul(memory, kept), added);
}
