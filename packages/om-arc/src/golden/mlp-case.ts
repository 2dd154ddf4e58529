import type { GoldenHandler, GoldenOutputs } from '@palimpsest/base/golden';
import { type NDArray, Rng, tf, valueAndGradient } from '@palimpsest/tensor-core';
import { type Activation, resolveConfig } from '../config.js';
import { initMlp } from '../initialization.js';
import { mlp } from '../mlp.js';
import type { MlpParams } from '../parameters.js';
import { fromNamed } from '../weights/correspondence.js';
import { mlpCorrespondences } from '../weights/model-keys.js';
import { gradientOutputs, runOnce } from './case-parts.js';

interface Variant {
  readonly name: string;
  readonly activation: Activation;
  readonly mlp1221: boolean;
}

/** The MLP alone, in every activation and width. */
export const mlpCase: GoldenHandler = {
  system: 'om-arc',
  kind: 'mlp-activations',
  async run(testCase, { engine }) {
    const { dimInput, dimHidden, variants } = testCase.config as {
      dimInput: number;
      dimHidden: number;
      variants: readonly Variant[];
    };
    const [x, cotangent] = [testCase.array('in/x'), testCase.array('in/cotangent')];
    const outputs: Record<string, GoldenOutputs[string]> = {};
    for (const { name, activation, mlp1221 } of variants) {
      const config = resolveConfig({
        ...{
          vocabSize: 1,
          numLayers: 1,
          numHeads: 1,
          dimsKey: [2],
          dimsValue: [2],
          segmentLen: 1,
          stateLen: 1,
        },
        ...{ dimInput, dimHidden, activation, mlp1221 },
      });
      const template = initMlp(config, Rng.fromSeed(0), 1);
      const keys = mlpCorrespondences(template, { key: '', path: '', layer: 0 });
      const params = fromNamed(template, keys, testCase.weights(`${name}/`));
      const differentiate = (all: { params: MlpParams; x: tf.Tensor }, dy: tf.Tensor) => {
        const { gradients, aux } = valueAndGradient((tree: typeof all) => {
          const rows = tf.reshape(tree.x, [1, -1, dimInput]);
          const y = tf.reshape(mlp(activation, tree.params, rows), tree.x.shape);
          return [tf.sum(tf.mul(y, dy)), y] as const;
        }, all);
        return { gradients, y: aux };
      };
      const { gradients, y } = await runOnce(
        engine,
        differentiate,
        { params, x } as never,
        cotangent as never,
      );
      outputs[`out/${name}`] = (y as NDArray).data;
      outputs[`grad/${name}/in/x`] = (gradients.x as NDArray).data;
      Object.assign(outputs, gradientOutputs(testCase, keys, params, gradients.params, `grad/${name}/`));
    }
    return outputs;
  },
};
