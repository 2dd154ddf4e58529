import type { NDArray } from '@palimpsest/base';
import type { GoldenCase, GoldenHandler, GoldenOutputs } from '@palimpsest/base/golden';
import { type Engine, Rng, runOnce, tf, valueAndGradient } from '@palimpsest/tensor-core';
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
import { configOf, gradientOutputs } from './read-case.js';

type Run = (testCase: GoldenCase, engine: Engine) => Promise<GoldenOutputs>;
type Arrays = Readonly<Record<string, NDArray>>;
type Tensors = Readonly<Record<string, tf.Tensor>>;

const handler = (kind: string, run: Run): GoldenHandler => ({
  system: 'rsm',
  kind,
  run: (testCase, { engine }) => run(testCase, engine as Engine),
});

/** A component with the gradients of sum(outputs x cotangents) to its parameters and inputs. */
interface Component<P> {
  /** Its name in the case. */
  readonly name: string;
  readonly fresh: unknown;
  readonly keyOf: (path: string) => string;
  readonly inputs: Arrays;
  /** By the name of the output. */
  readonly cotangents: Arrays;
  /** Outputs by their names in the case. */
  forward(params: P, inputs: Tensors): Tensors;
}

async function componentOutputs<P>(
  testCase: GoldenCase,
  engine: Engine,
  { name, fresh, keyOf, inputs, cotangents, forward }: Component<P>,
): Promise<GoldenOutputs> {
  const params = fromReferenceTensors(testCase.weights(`${name}.`), fresh, keyOf);
  const result = await runOnce(
    engine,
    (weights: P, given: Tensors, weighting: Tensors) => {
      const { gradients, aux } = valueAndGradient(
        (all: { params: P; inputs: Tensors }) => {
          const outputs = forward(all.params, all.inputs);
          const terms = Object.entries(weighting).map(([output, w]) => tf.sum(tf.mul(outputs[output]!, w)));
          return [terms.reduce((sum, term) => tf.add(sum, term)), outputs] as const;
        },
        { params: weights, inputs: given },
      );
      return { gradients: gradients as unknown, outputs: aux };
    },
    params as never,
    inputs,
    cotangents,
  );
  const { outputs, gradients } = result as unknown as {
    outputs: Arrays;
    gradients: { params: unknown; inputs: Arrays };
  };
  const values = Object.entries(outputs).map(([output, { data }]) => [output, data] as const);
  const ofInputs = Object.entries(gradients.inputs).map(
    ([input, { data }]) => [`grad/${name}.${input}`, data] as const,
  );
  return {
    ...Object.fromEntries(values),
    ...gradientOutputs(testCase, gradients.params, `${name}.`, keyOf),
    ...Object.fromEntries(ofInputs),
  };
}

/** Parts of a block that stand by themselves in cases, without the block's name for them. */
const partKey = (field: string) => (path: string) =>
  referenceKey(`${field}.${path}`).replace(/^(mlp|self_attn|memory_read|memory_write)\./, '');

const part = (field: 'mlp' | 'selfAttention' | 'memoryRead' | 'memoryWrite', config: RsmConfig) => ({
  fresh: initBlock(config, Rng.fromSeed(0))[field],
  keyOf: partKey(field),
});

/** Scaled dot attention, with and without a mask, as far as the case has it. */
async function attentionOutputs(testCase: GoldenCase, engine: Engine): Promise<GoldenOutputs> {
  if (!testCase.has('in/sdpa_q')) return {};
  const [q, k, v] = (['q', 'k', 'v'] as const).map((name) => testCase.array(`in/sdpa_${name}`));
  const masks: Arrays = testCase.has('in/sdpa_mask') ? { masked: testCase.array('in/sdpa_mask') } : {};
  const results = await runOnce(
    engine,
    (query: tf.Tensor, key: tf.Tensor, value: tf.Tensor, given: Tensors) => ({
      open: scaledDotAttention(query, key, value),
      ...(given.masked && { masked: scaledDotAttention(query, key, value, given.masked) }),
    }),
    q!,
    k!,
    v!,
    masks,
  );
  const outputs = Object.entries(results).flatMap(([name, { output, weights }]) => {
    const prefix = name === 'open' ? 'out/sdpa' : 'out/sdpa_masked';
    return [[`${prefix}_context`, output.data] as const, [`${prefix}_weights`, weights.data] as const];
  });
  return Object.fromEntries(outputs);
}

/** Sinusoids of the positions in tensors `in/pos_…`. */
async function positionOutputs(testCase: GoldenCase, engine: Engine, width: number): Promise<GoldenOutputs> {
  const outputs: Record<string, ArrayLike<number>> = {};
  for (const name of testCase.names('in/pos_')) {
    const positions = testCase.array(name);
    const rows = 1 + Math.max(...Array.from(positions.data, Number));
    const encoded = await runOnce(engine, (at: tf.Tensor) => positionalEncoding(at, width, rows), positions);
    outputs[name.replace('in/pos_', 'out/pe_')] = encoded.data;
  }
  return outputs;
}

/** Case 01: scaled dot attention, sinusoids, MLP, causal self-attention. */
const coreHandler = handler('core', async (testCase, engine) => {
  const config = configOf(testCase);
  const outputs: GoldenOutputs[] = [
    await attentionOutputs(testCase, engine),
    await positionOutputs(testCase, engine, config.hiddenSize),
  ];
  if (testCase.has('in/x_mlp')) {
    outputs.push(
      await componentOutputs<MlpParams>(testCase, engine, {
        name: 'mlp',
        ...part('mlp', config),
        inputs: { x: testCase.array('in/x_mlp') },
        cotangents: { 'out/mlp': testCase.array('in/cotangent_mlp') },
        forward: (params, { x }) => ({ 'out/mlp': mlp(params, x!) }),
      }),
    );
  }
  if (testCase.has('in/x_attn')) {
    outputs.push(
      await componentOutputs<SelfAttentionParams>(testCase, engine, {
        name: 'attn',
        ...part('selfAttention', config),
        inputs: { x: testCase.array('in/x_attn') },
        cotangents: { 'out/attn': testCase.array('in/cotangent_attn') },
        forward: (params, { x }) => {
          const { output, weights } = causalSelfAttention(params, x!, config);
          return { 'out/attn': output, 'out/attn_weights': weights };
        },
      }),
    );
  }
  return Object.assign({}, ...outputs);
});

/** Case 02: cross-attention, chains of gated updates with both poolings, global sync. */
const memoryComponentsHandler = handler('memory-components', async (testCase, engine) => {
  const config = configOf(testCase, 'parity', { numHeads: 1 });
  const outputs: GoldenOutputs[] = [];
  if (testCase.has('in/cross_x')) {
    outputs.push(
      await componentOutputs<CrossAttentionParams>(testCase, engine, {
        name: 'cross',
        ...part('memoryRead', config),
        inputs: { x: testCase.array('in/cross_x'), memory: testCase.array('in/cross_memory') },
        cotangents: { 'out/cross': testCase.array('in/cross_cotangent') },
        forward: (params, { x, memory }) => ({ 'out/cross': crossAttention(params, x!, memory!).output }),
      }),
    );
  }
  for (const name of ['ssmMean', 'ssmAttn']) {
    if (testCase.count(`state/${name}`) > 0) outputs.push(await updateChain(testCase, engine, config, name));
  }
  if (testCase.has('in/sync_tokens')) outputs.push(await syncOutputs(testCase, engine, config));
  return Object.assign({}, ...outputs);
});

function updateChain(
  testCase: GoldenCase,
  engine: Engine,
  config: RsmConfig,
  name: string,
): Promise<GoldenOutputs> {
  const useAttentionPooling = testCase.has(`weights/${name}.salience_query.weight`);
  const steps = testCase.count(`state/${name}`);
  return componentOutputs<GatedUpdateParams>(testCase, engine, {
    name,
    ...part('memoryWrite', { ...config, useAttentionPooling }),
    inputs: { h: testCase.array('in/h'), memory0: testCase.array('in/memory0') },
    cotangents: { [`state/${name}_${steps - 1}`]: testCase.array('in/ssm_cotangent') },
    forward: (params, inputs) => {
      let memory = inputs.memory0!;
      return Object.fromEntries(
        tf.unstack(inputs.h!, 0).map((source, step) => {
          ({ memory } = gatedUpdate(params, source, memory));
          return [`state/${name}_${step}`, memory];
        }),
      );
    },
  });
}

function syncOutputs(testCase: GoldenCase, engine: Engine, config: RsmConfig): Promise<GoldenOutputs> {
  return componentOutputs<GlobalSyncParams>(testCase, engine, {
    name: 'sync',
    fresh: initGlobalSync(config, Rng.fromSeed(0)),
    keyOf: (path) => referenceKey(`sync.${path}`),
    inputs: { tokens: testCase.array('in/sync_tokens'), memory: testCase.array('in/sync_memory') },
    cotangents: {
      'out/sync_tokens': testCase.array('in/sync_cotangent_tokens'),
      'out/sync_memory': testCase.array('in/sync_cotangent_memory'),
    },
    forward: (params, inputs) => {
      const { tokens, memory } = globalSync(params, inputs.tokens!, inputs.memory!);
      return { 'out/sync_tokens': tokens, 'out/sync_memory': memory };
    },
  });
}

/** Case 03: one block, with the poolings that the case has. */
const blockHandler = handler('block', async (testCase, engine) => {
  const outputs: GoldenOutputs[] = [];
  for (const name of ['mean', 'attn'].filter((pooling) => testCase.has(`out/${pooling}_x`))) {
    const useAttentionPooling = testCase.has(`weights/${name}.memory_write.salience_query.weight`);
    const config = configOf(testCase, 'parity', { useAttentionPooling });
    outputs.push(
      await componentOutputs<BlockParams>(testCase, engine, {
        name,
        fresh: initBlock(config, Rng.fromSeed(0)),
        keyOf: referenceKey,
        inputs: { x: testCase.array('in/x'), memory: testCase.array('in/memory') },
        cotangents: {
          [`out/${name}_x`]: testCase.array('in/cotangent_x'),
          [`out/${name}_memory`]: testCase.array('in/cotangent_memory'),
        },
        forward: (params, inputs) => {
          const result = blockOverChunk(params, { x: inputs.x!, read: inputs.memory! }, config);
          return { [`out/${name}_x`]: result.output, [`out/${name}_memory`]: result.memory };
        },
      }),
    );
  }
  return Object.assign({}, ...outputs);
});

export const componentHandlers: readonly GoldenHandler[] = [
  coreHandler,
  memoryComponentsHandler,
  blockHandler,
];
