import { type Engine, type NDArray, Rng, tf, treeLeaves, valueAndGradient } from '@palimpsest/tensor-core';
import { causalSelfAttention, crossAttention, scaledDotAttention } from '../attention.js';
import type { RsmConfig } from '../config.js';
import { blockOverChunk } from '../forms/block-chunk.js';
import { gatedUpdate } from '../memory/gated-update.js';
import { globalSync } from '../memory/global-sync.js';
import { mlp } from '../mlp.js';
import {
  type BlockParams,
  type CrossAttentionParams,
  type GatedUpdateParams,
  type GlobalSyncParams,
  initBlock,
  initGlobalSync,
  type MlpParams,
  type SelfAttentionParams,
} from '../parameters.js';
import { positionalEncoding } from '../positional-encoding.js';
import { fromReferenceTensors, referenceKey } from '../reference-keys.js';
import { GoldenCase } from './golden-case.js';
import { runOnce } from './run.js';
import type { ParityHandler, ParityOutput } from './types.js';

type Run = (golden: GoldenCase, engine: Engine) => Promise<ParityOutput[]>;

const handler = (kind: string, run: Run): ParityHandler => ({
  system: 'rsm',
  kind,
  run: (testCase, { engine }) => run(new GoldenCase(testCase), engine as Engine),
});

/** Longest position table of the cases, as their notes say. */
const POSITION_ROWS = 50;

/** A component in a block of its own parameters: which part of the block it is, and its name in the case. */
interface Part {
  readonly field: 'mlp' | 'selfAttention' | 'memoryRead' | 'memoryWrite';
  readonly name: string;
}

/** Name of a component's parameter in the case, without the component's own name. */
const partKey = ({ field }: Part, path: string) =>
  referenceKey(`${field}.${path}`).replace(/^(mlp|self_attn|memory_read|memory_write)\./, '');

/** The parameters of a component. */
function partParams<P>(golden: GoldenCase, part: Part, config: RsmConfig): P {
  const fresh = initBlock(config, Rng.fromSeed(0))[part.field];
  return fromReferenceTensors(golden.weights(`${part.name}.`), fresh, (path) => partKey(part, path)) as P;
}

/** Parameter gradients of a component by their names in the case, together with those of its inputs. */
function namedGradients(
  gradients: { params: unknown; inputs: Readonly<Record<string, unknown>> },
  keyOf: (path: string) => string,
): Map<string, NDArray> {
  const params = treeLeaves<NDArray>(gradients.params).map(({ path, leaf }) => [keyOf(path), leaf] as const);
  return new Map([...params, ...(Object.entries(gradients.inputs) as [string, NDArray][])]);
}

/**
 * Runs a component, with the gradients of sum(outputs * cotangents) to its parameters and inputs.
 * @param outputs names of the tensors to compare, with what the function gives under them.
 */
async function runPart<P>(
  golden: GoldenCase,
  engine: Engine,
  params: P,
  inputs: Readonly<Record<string, NDArray>>,
  cotangents: Readonly<Record<string, NDArray>>,
  forward: (params: P, inputs: Readonly<Record<string, tf.Tensor>>) => Readonly<Record<string, tf.Tensor>>,
  prefix: string,
  keyOf: (path: string) => string,
): Promise<ParityOutput[]> {
  const result = await runOnce(
    engine,
    (weights: P, given: Record<string, tf.Tensor>, weighting: Record<string, tf.Tensor>) => {
      const { gradients, aux } = valueAndGradient(
        (all: { params: P; inputs: Record<string, tf.Tensor> }) => {
          const outputs = forward(all.params, all.inputs);
          const terms = Object.entries(weighting).map(([name, w]) => tf.sum(tf.mul(outputs[name]!, w)));
          return [terms.reduce((sum, term) => tf.add(sum, term)), outputs] as const;
        },
        { params: weights, inputs: given },
      );
      return {
        gradients: gradients as unknown as { params: P; inputs: Record<string, tf.Tensor> },
        outputs: aux,
      };
    },
    params as never,
    inputs as never,
    cotangents as never,
  );
  const { outputs, gradients } = result as unknown as {
    outputs: Record<string, NDArray>;
    gradients: { params: unknown; inputs: Record<string, NDArray> };
  };
  return [
    ...Object.entries(outputs).map(([name, actual]) => golden.compare(name, actual)),
    ...golden.compareGradients(namedGradients(gradients, keyOf), prefix),
  ];
}

/** Case 01: scaled dot attention, sinusoids, MLP, causal self-attention. */
export const coreHandler = handler('core', async (golden, engine) => {
  const config = golden.config();
  const [query, key, value, mask] = ['q', 'k', 'v', 'mask'].map((name) => golden.array(`in/sdpa_${name}`));
  const plain = await runOnce(
    engine,
    (inputs: Record<string, tf.Tensor>) => {
      const { q, k, v } = inputs as Record<'q' | 'k' | 'v', tf.Tensor>;
      const open = scaledDotAttention(q, k, v);
      const masked = scaledDotAttention(q, k, v, inputs.mask);
      const encode = (positions: tf.Tensor) =>
        positionalEncoding(positions, config.hiddenSize, POSITION_ROWS);
      return {
        'out/sdpa_context': open.output,
        'out/sdpa_weights': open.weights,
        'out/sdpa_masked_context': masked.output,
        'out/sdpa_masked_weights': masked.weights,
        'out/pe_1d': encode(inputs.pos1!),
        'out/pe_2d': encode(inputs.pos2!),
      };
    },
    {
      q: query!,
      k: key!,
      v: value!,
      mask: mask!,
      pos1: golden.array('in/pos_1d'),
      pos2: golden.array('in/pos_2d'),
    } as never,
  );
  const [mlpPart, attentionPart]: Part[] = [
    { field: 'mlp', name: 'mlp' },
    { field: 'selfAttention', name: 'attn' },
  ];
  return [
    ...Object.entries(plain as unknown as Record<string, NDArray>).map(([name, actual]) =>
      golden.compare(name, actual),
    ),
    ...(await runPart(
      golden,
      engine,
      partParams<MlpParams>(golden, mlpPart!, config),
      { x: golden.array('in/x_mlp') },
      { 'out/mlp': golden.array('in/cotangent_mlp') },
      (params, { x }) => ({ 'out/mlp': mlp(params, x!) }),
      'mlp.',
      (path) => partKey(mlpPart!, path),
    )),
    ...(await runPart(
      golden,
      engine,
      partParams<SelfAttentionParams>(golden, attentionPart!, config),
      { x: golden.array('in/x_attn') },
      { 'out/attn': golden.array('in/cotangent_attn') },
      (params, { x }) => {
        const { output, weights } = causalSelfAttention(params, x!, config);
        return { 'out/attn': output, 'out/attn_weights': weights };
      },
      'attn.',
      (path) => partKey(attentionPart!, path),
    )),
  ];
});

/** Case 02: cross-attention, chains of gated updates with both poolings, global sync. */
export const memoryComponentsHandler = handler('memory-components', async (golden, engine) => {
  const config = golden.config('parity', { numHeads: 1 });
  const cross: Part = { field: 'memoryRead', name: 'cross' };
  const outputs = await runPart(
    golden,
    engine,
    partParams<CrossAttentionParams>(golden, cross, config),
    { x: golden.array('in/cross_x'), memory: golden.array('in/cross_memory') },
    { 'out/cross': golden.array('in/cross_cotangent') },
    (params, { x, memory }) => ({ 'out/cross': crossAttention(params, x!, memory!).output }),
    'cross.',
    (path) => partKey(cross, path),
  );
  for (const name of ['ssmMean', 'ssmAttn'])
    outputs.push(...(await updateChain(golden, engine, config, name)));
  return [...outputs, ...(await syncOutputs(golden, engine, config))];
});

function updateChain(
  golden: GoldenCase,
  engine: Engine,
  config: RsmConfig,
  name: string,
): Promise<ParityOutput[]> {
  const part: Part = { field: 'memoryWrite', name };
  const useAttentionPooling = golden.has(`weights/${name}.salience_query.weight`);
  const steps = golden.count(`state/${name}`);
  return runPart(
    golden,
    engine,
    partParams<GatedUpdateParams>(golden, part, { ...config, useAttentionPooling }),
    { h: golden.array('in/h'), memory0: golden.array('in/memory0') },
    { [`state/${name}_${steps - 1}`]: golden.array('in/ssm_cotangent') },
    (params, inputs) => {
      let memory = inputs.memory0!;
      return Object.fromEntries(
        tf.unstack(inputs.h!, 0).map((source, step) => {
          ({ memory } = gatedUpdate(params, source, memory));
          return [`state/${name}_${step}`, memory];
        }),
      );
    },
    `${name}.`,
    (path) => partKey(part, path),
  );
}

function syncOutputs(golden: GoldenCase, engine: Engine, config: RsmConfig): Promise<ParityOutput[]> {
  const keyOf = (path: string) => referenceKey(`sync.${path}`);
  const fresh = initGlobalSync(config, Rng.fromSeed(0));
  return runPart(
    golden,
    engine,
    fromReferenceTensors(golden.weights('sync.'), fresh, keyOf) as unknown as GlobalSyncParams,
    { tokens: golden.array('in/sync_tokens'), memory: golden.array('in/sync_memory') },
    {
      'out/sync_tokens': golden.array('in/sync_cotangent_tokens'),
      'out/sync_memory': golden.array('in/sync_cotangent_memory'),
    },
    (params, inputs) => {
      const { tokens, memory } = globalSync(params, inputs.tokens!, inputs.memory!);
      return { 'out/sync_tokens': tokens, 'out/sync_memory': memory };
    },
    'sync.',
    keyOf,
  );
}

/** Case 03: one block, both poolings. */
export const blockHandler = handler('block', async (golden, engine) => {
  const outputs: ParityOutput[] = [];
  for (const name of ['mean', 'attn']) {
    const config = golden.config('parity', {
      useAttentionPooling: golden.has(`weights/${name}.memory_write.salience_query.weight`),
    });
    const fresh = initBlock(config, Rng.fromSeed(0));
    outputs.push(
      ...(await runPart(
        golden,
        engine,
        fromReferenceTensors(golden.weights(`${name}.`), fresh) as unknown as BlockParams,
        { x: golden.array('in/x'), memory: golden.array('in/memory') },
        {
          [`out/${name}_x`]: golden.array('in/cotangent_x'),
          [`out/${name}_memory`]: golden.array('in/cotangent_memory'),
        },
        (params, inputs) => {
          const result = blockOverChunk(params, { x: inputs.x!, read: inputs.memory! }, config);
          return { [`out/${name}_x`]: result.output, [`out/${name}_memory`]: result.memory };
        },
        `${name}.`,
        referenceKey,
      )),
    );
  }
  return outputs;
});
