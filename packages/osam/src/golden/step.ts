import type { GoldenCase, GoldenHandler } from '@palimpsest/base/golden';
import { type Engine, type NDArray, runOnce, type ToHost, tf } from '@palimpsest/tensor-core';
import { blockForward } from '../block.js';
import type { OsamConfig } from '../config.js';
import type { BlockParams } from '../parameters.js';
import { type BlockState, compactState, type DenseState } from '../state.js';
import { applySketch, type BlockPlan, spreadBuckets } from '../tables.js';
import { applicableForms, loadBlock, optionsOf } from './loaded-case.js';
import { FormOutputs } from './outputs.js';

/** A block's step from a given state, with and without a read, in every form. */
export const stepHandler: GoldenHandler = {
  system: 'osam',
  kind: 'step',
  async run(testCase, { engine }) {
    const result = new FormOutputs();
    for (const form of applicableForms(optionsOf(testCase, 'parity'))) {
      for (const compute of [true, false]) {
        await stepInForm(testCase, engine as Engine, form, compute, result);
      }
    }
    return result.outputs;
  },
};

async function stepInForm(
  testCase: GoldenCase,
  engine: Engine,
  form: OsamConfig['form'],
  compute: boolean,
  result: FormOutputs,
): Promise<void> {
  const { model, params } = loadBlock(testCase, form);
  const plan = model.plans[0]!;
  const config = model.options;
  const step = (block: BlockParams, e: tf.Tensor, position: tf.Tensor, from: BlockState) => {
    const { output, detail, state } = blockForward(block, tf.expandDims(e, 1), position, from, config, plan, {
      compute,
      inspect: true,
    });
    const { query, key, ...seen } = detail!;
    return {
      ...seen,
      y: output,
      Q: denseSketch(query, 'query', plan),
      dK: denseSketch(key, 'key', plan),
      state,
    };
  };
  const before = compactState(denseState(testCase), config, plan);
  const inputs = [testCase.array('in/e'), testCase.array('in/pos')] as const;
  const out = await runOnce(engine, step, params.blocks[0]!, ...inputs, before as ToHost<BlockState>);
  const branch = compute ? 'compute' : 'skip';
  const label = `${form} ${branch}`;
  // A token that does not read has no features; the reference gives zeros.
  const psi = out.psi ?? { data: new Float32Array(out.y.shape[0]! * config.sketchDim) };
  const seen = { y: out.y, psi, vread: out.vread, vraw: out.vraw, hFeat: out.hFeat };
  for (const [name, value] of Object.entries(seen)) {
    result.offer(`out/${branch}/${name}`, label, value?.data);
  }
  result.offer('out/v', label, out.value.data);
  for (const [part, name] of ['re', 'im'].entries()) {
    result.offer(`out/Q${name}`, label, partOf(out.Q, part));
    result.offer(`out/dK${name}`, label, partOf(out.dK, part));
  }
  const after = { position: testCase.array('in/pos'), blocks: [out.state as BlockState<NDArray>] };
  result.offerState(model, after, label, 'Next');
  const spectrum = (out.state as BlockState<NDArray>).spectrum;
  for (const [part, name] of ['Re', 'Im'].entries()) {
    const values = spectrum?.data.filter((_: number, index: number) => index % 2 === part);
    result.offer(`state/FKNext${name}`, label, values);
  }
}

function denseState(testCase: GoldenCase): DenseState {
  const names = ['K', 'H', 'FKRe', 'FKIm'].filter((name) => testCase.has(`state/${name}`));
  return Object.fromEntries(names.map((name) => [name, testCase.array<'float32'>(`state/${name}`)]));
}

/** Complex rows [batch, 1, 2 d] sketched over all buckets: [batch, 2, m]. */
function denseSketch(x: tf.Tensor, side: 'query' | 'key', plan: BlockPlan): tf.Tensor {
  const sketch = plan[side];
  const rows = tf.reshape(applySketch(x, sketch), [x.shape[0]!, 2, sketch.used.length]);
  return spreadBuckets(rows, sketch.place);
}

/** The real or the imaginary part of [batch, 2, m]. */
function partOf({ data, shape }: NDArray, part: number): Float32Array {
  const width = shape[2]!;
  return Float32Array.from({ length: data.length / 2 }, (_, at) => {
    const row = Math.floor(at / width);
    return data[(2 * row + part) * width + (at % width)]!;
  });
}
