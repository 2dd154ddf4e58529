import type { GoldenHandler, GoldenOutputs } from '@palimpsest/base/golden';
import { type NDArray, Rng, tf, treeMap, valueAndGradient, zeros } from '@palimpsest/tensor-core';
import { ARC } from '../arc.js';
import type { ArcParams } from '../parameters.js';
import { arcCorrespondences } from '../weights/arc-keys.js';
import { fromNamed } from '../weights/correspondence.js';
import { gradientOutputs, optionsOf, runOnce } from './case-parts.js';

const run = (cell: ARC) => (params: ArcParams, x: tf.Tensor, state: tf.Tensor) =>
  cell.forward(params, x, state);

/** One attention block with gradients of a weighted sum of what it gives; without contextual positions where asked for. */
export const arcCase: GoldenHandler = {
  system: 'om-arc',
  kind: 'arc',
  async run(testCase, { engine }) {
    const { vocabSize: _vocabSize, dimHidden: _dimHidden, padId: _padId, ...options } = optionsOf(testCase);
    const {
      initNgrams: _ngrams,
      initConvs: _convs,
      vocabOffset: _offset,
      finalMlpMultiplier: _m,
      ...own
    } = options;
    const { activation: _activation, mlp1221: _mlp, vocabPadMultiple: _pad, ...rest } = own;
    const cell = new ARC({ ...rest, layerNum: testCase.member('layerNum', 0) });
    const template = cell.init(Rng.fromSeed(0));
    const keys = arcCorrespondences(cell.config, { key: '', path: '', layer: 0 });
    const params = fromNamed(template, keys, testCase.weights());
    const [x, state] = [testCase.array('in/x'), testCase.array('in/state')] as [NDArray, NDArray];
    const [toX, toState] = [testCase.array('in/cotangentX'), testCase.array('in/cotangentState')];
    const differentiate = (
      all: { params: ArcParams; x: tf.Tensor; state: tf.Tensor },
      dx: tf.Tensor,
      dState: tf.Tensor,
    ) => {
      const { value, gradients, aux } = valueAndGradient((tree: typeof all) => {
        const result = run(cell)(tree.params, tree.x, tree.state);
        const scalar = tf.add(tf.sum(tf.mul(result.output, dx)), tf.sum(tf.mul(result.state, dState)));
        return [scalar, result] as const;
      }, all);
      return { value, gradients, result: aux };
    };
    const { value, gradients, result } = await runOnce(
      engine,
      differentiate,
      { params, x, state },
      toX!,
      toState!,
    );
    const outputs: Record<string, GoldenOutputs[string]> = {
      'out/x': result.output.data,
      'state/next': result.state.data,
      'out/scalar': value.data,
      'grad/in/x': (gradients.x as NDArray).data,
      'grad/in/state': (gradients.state as NDArray).data,
      ...gradientOutputs(testCase, keys, params, gradients.params),
    };
    if (!testCase.has('out/xNoCope')) return outputs;
    const flat = treeMap<NDArray, NDArray>(params, (leaf, path) =>
      path.includes('.cope.') ? zeros(leaf.shape) : leaf,
    ) as ArcParams<NDArray>;
    const plain = new ARC({ ...rest, cope: false, layerNum: testCase.member('layerNum', 0) });
    const { passes } = params;
    const without = {
      ...params,
      passes: passes.map(({ cope: _cope, ...pass }) => pass),
    } as ArcParams<NDArray>;
    const zeroed = await runOnce(engine, run(cell), flat, x, state);
    const absent = await runOnce(engine, run(plain), without, x, state);
    return {
      ...outputs,
      'out/xNoCope@tables of zeros': zeroed.output.data,
      'state/nextNoCope@tables of zeros': zeroed.state.data,
      'out/xNoCope@no tables': absent.output.data,
      'state/nextNoCope@no tables': absent.state.data,
    };
  },
};
