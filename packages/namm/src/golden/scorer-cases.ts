import type { GoldenCase, GoldenHandler, GoldenOutputs } from '@palimpsest/base/golden';
import { type Engine, type NDArray, ndarray, runOnce, tf } from '@palimpsest/tensor-core';
import { type NAMMConfig, type NAMMOptions, resolveNAMMConfig } from '../config.js';
import { gatherTokens } from '../features/attention-rows.js';
import { averageOverTime } from '../features/temporal-average.js';
import { bamScores } from '../scorer/bam.js';
import { foldedScores, foldedVector, foldParameters } from '../scorer/folded.js';
import { scorerTensors } from '../scorer/parameters.js';
import { scoreFrame } from '../scorer/score-tokens.js';

type BamVariant = NonNullable<NAMMOptions['bam']> & {
  readonly name: string;
  readonly usePaddingMask: boolean;
};

/** A policy whose features are as wide as the case's: an age of 4 beside the 5 bins of 8 samples. */
const NINE_WIDE: NAMMOptions = { nFft: 8, hopLength: 4, recencyEmbedDim: 4, mode: 'parityOfficial' };

/** Vectors of a case, one per text: `[batch, size]` as `[batch, 1, size]`. */
const perText = ({ data, shape }: NDArray): NDArray =>
  ndarray(data as Float32Array, [shape[0]!, 1, shape[1]!]);

async function bamOutputs(testCase: GoldenCase, engine: Engine, variant: BamVariant): Promise<GoldenOutputs> {
  const { name, usePaddingMask, ...options } = variant;
  const known = Object.fromEntries(
    Object.entries(options).filter(([key]) => key !== 'paramCount'),
  ) as NonNullable<NAMMOptions['bam']>;
  const config = resolveNAMMConfig({ ...NINE_WIDE, bam: known });
  const flat = testCase.array(`weights/${name}`);
  const features = testCase.array('in/features');
  const positions = testCase.array('in/positions');
  const valid = testCase.array('in/paddingMask');
  const view = (x: tf.Tensor, places: tf.Tensor, mask: tf.Tensor) => ({
    ...{ features: x, positions: places },
    ...(usePaddingMask && { valid: tf.expandDims(mask, 1) }),
  });
  const score = (tile: number) => (p: tf.Tensor, x: tf.Tensor, places: tf.Tensor, mask: tf.Tensor) =>
    bamScores(config, scorerTensors(config, p), view(x, places, mask), tile);
  const run = async (fn: ReturnType<typeof score>, vector: NDArray) =>
    (await runOnce(engine, fn, vector, features, positions, valid)).data;
  const outputs: Record<string, GoldenOutputs[string]> = {
    [`out/${name}_scores`]: await run(score(256), perText(flat)),
    [`out/${name}_scores@tiles of 5`]: await run(score(5), perText(flat)),
  };
  if (name !== 'base') return outputs;
  const rows = [0, 1].map((row) => flat.data.subarray(row * flat.shape[1]!, (row + 1) * flat.shape[1]!));
  const folded = rows.map((row) => foldParameters(config, row));
  for (const part of ['A', 'c', 'u', 'G', 'w1', 'b1'] as const) {
    outputs[`out/base_folded_${part}`] = folded.flatMap((tensors) => Array.from(tensors[part]));
  }
  const foldedConfig: NAMMConfig = { ...config, parameterisation: 'folded' };
  const vectors = rows.map((row) => Array.from(foldedVector(config, row)));
  const scoreFolded = (p: tf.Tensor, x: tf.Tensor, places: tf.Tensor, mask: tf.Tensor) =>
    foldedScores(foldedConfig, scorerTensors(foldedConfig, p), view(x, places, mask), 5);
  outputs['out/base_scores@folded'] = await run(
    scoreFolded,
    ndarray(vectors.flat(), [2, 1, vectors[0]!.length]),
  );
  return outputs;
}

/** The scorer with attention in every variant; the base variant folded as well. */
export const bamCase: GoldenHandler = {
  system: 'namm',
  kind: 'bam-scores',
  async run(testCase, { engine }) {
    const outputs: Record<string, GoldenOutputs[string]> = {};
    for (const variant of testCase.config.variants as readonly BamVariant[]) {
      Object.assign(outputs, await bamOutputs(testCase, engine as Engine, variant));
    }
    return outputs;
  },
};

interface MlpVariant {
  readonly name: string;
  readonly hiddenDepth: number;
  readonly residualFirst: boolean;
  readonly bias: boolean;
  readonly nonLinearity: 'relu' | 'tanh';
  readonly scoreEmaCoeff: number;
  readonly hopLength: number;
}

/** The scorer without attention: single frames, brought together by an average over time. */
export const mlpCase: GoldenHandler = {
  system: 'namm',
  kind: 'mlp-scoring',
  async run(testCase, { engine }) {
    const outputs: Record<string, GoldenOutputs[string]> = {};
    for (const variant of testCase.config.variants as readonly MlpVariant[]) {
      const { name, hiddenDepth, residualFirst, bias, nonLinearity, scoreEmaCoeff, hopLength } = variant;
      const config = resolveNAMMConfig({
        ...NINE_WIDE,
        ...{ scorer: 'mlp', scoreEmaCoeff, hopLength },
        mlp: { depth: hiddenDepth, residualFirst, bias, nonLinearity },
      });
      const averaged = (flat: tf.Tensor, x: tf.Tensor, before?: tf.Tensor) =>
        averageOverTime(
          tf.unstack(x, 2).map((frame) => tf.expandDims(scoreFrame(config, flat, frame), 2)),
          before,
          { coefficient: scoreEmaCoeff, hopLength, newTokens: x.shape[2]! * hopLength },
        );
      const second = (flat: tf.Tensor, x0: tf.Tensor, kept: tf.Tensor, x1: tf.Tensor) =>
        averaged(flat, x1, gatherTokens(averaged(flat, x0), kept));
      const flat = perText(testCase.array(`weights/${name}`));
      const [x0, x1, kept] = ['x0', 'x1', 'keep0'].map((part) => testCase.array(`in/${name}_${part}`)) as [
        NDArray,
        NDArray,
        NDArray,
      ];
      const first = (p: tf.Tensor, x: tf.Tensor) => averaged(p, x);
      outputs[`out/${name}_scores0`] = (await runOnce(engine as Engine, first, flat, x0)).data;
      outputs[`out/${name}_scores1`] = (await runOnce(engine as Engine, second, flat, x0, kept, x1)).data;
    }
    return outputs;
  },
};
