import { type Engine, type NDArray, tf } from '@palimpsest/tensor-core';
import { blockForward } from '../block.js';
import type { OsamConfig } from '../config.js';
import { takeToHost } from '../host.js';
import type { BlockParams } from '../parameters.js';
import { type BlockState, compactState, type DenseState, expandState } from '../state.js';
import { applySketch, type BlockPlan, spreadBuckets } from '../tables.js';
import { applicableForms } from './forms.js';
import { GoldenCase } from './golden-case.js';
import type { ParityHandler, ParityOutput } from './types.js';

/** A block's step from a given state, with and without a read, in every form. */
export const stepHandler: ParityHandler = {
  system: 'osam',
  kind: 'step',
  run: async (testCase, { engine }) => {
    const golden = new GoldenCase(testCase);
    const outputs: ParityOutput[] = [];
    for (const form of applicableForms(golden.options('parity'))) {
      for (const compute of [true, false]) {
        outputs.push(...(await runStep(golden, engine as Engine, form, compute)));
      }
    }
    return outputs;
  },
};

async function runStep(
  golden: GoldenCase,
  engine: Engine,
  form: OsamConfig['form'],
  compute: boolean,
): Promise<ParityOutput[]> {
  const { model, params } = blockOnly(golden, form);
  const config = model.options;
  const plan = model.plans[0]!;
  const state = compactState(goldenState(golden), config, plan);
  const step = engine.compile(
    (block: BlockParams, e: tf.Tensor, position: tf.Tensor, from: BlockState) => {
      const result = blockForward(block, tf.expandDims(e, 1), position, from, config, plan, {
        compute,
        inspect: true,
      });
      const { query, key, ...detail } = result.detail!;
      return {
        y: result.output,
        ...detail,
        Q: denseSketch(query, 'query', plan),
        dK: denseSketch(key, 'key', plan),
        state: result.state,
      };
    },
    { name: `osam step ${form}` },
  );
  const result = await takeToHost(
    await step(params.blocks[0]! as never, golden.array('in/e'), golden.array('in/pos'), state as never),
  );
  await step.dispose();
  return compareStep(golden, result as unknown as StepResult, config, plan, `${form}/`, compute);
}

interface StepResult {
  readonly y: NDArray;
  readonly psi?: NDArray;
  readonly vread: NDArray;
  readonly vraw?: NDArray;
  readonly hFeat?: NDArray;
  readonly value: NDArray;
  readonly Q: NDArray;
  readonly dK: NDArray;
  readonly state: BlockState<NDArray>;
}

/** The case has a block only; an embedding and a head of one token complete the model. */
function blockOnly(golden: GoldenCase, form: OsamConfig['form']) {
  const dModel = golden.options('parity').dModel ?? 64;
  const unused = { shape: [1, dModel], dtype: 'F32', data: new Float32Array(dModel) };
  const tensors = new Map(golden.source.tensors);
  tensors.set('weights/embed.weight', unused).set('weights/head.weight', unused);
  return new GoldenCase({ ...golden.source, tensors }).model({ form, vocabSize: 1 });
}

function goldenState(golden: GoldenCase): DenseState {
  const array = (name: string) => golden.array(`state/${name}`) as NDArray<'float32'>;
  return {
    K: array('K'),
    H: array('H'),
    ...(golden.has('state/FKRe') && { FKRe: array('FKRe'), FKIm: array('FKIm') }),
  };
}

/** Complex rows [batch, 1, 2 d] sketched over all buckets: [batch, 2, m]. */
function denseSketch(x: tf.Tensor, side: 'query' | 'key', plan: BlockPlan): tf.Tensor {
  const sketch = plan[side];
  const rows = tf.reshape(applySketch(x, sketch), [x.shape[0]!, 2, sketch.used.length]);
  return spreadBuckets(rows, sketch.place);
}

function compareStep(
  golden: GoldenCase,
  result: StepResult,
  config: OsamConfig,
  plan: BlockPlan,
  prefix: string,
  compute: boolean,
): ParityOutput[] {
  const outputs: ParityOutput[] = [];
  const check = (name: string, actual: ArrayLike<number> | undefined, expected = `out/${name}`) => {
    if (actual === undefined || !golden.has(expected)) return;
    outputs.push(golden.output(prefix + name, actual, golden.tensor(expected).data));
  };
  const branch = compute ? 'compute' : 'skip';
  const zeroPsi = compute ? undefined : new Float32Array(golden.tensor(`out/${branch}/psi`).data.length);
  check(`${branch}/y`, result.y.data);
  check(`${branch}/psi`, result.psi?.data ?? zeroPsi);
  check(`${branch}/vread`, result.vread.data);
  check(`${branch}/vraw`, result.vraw?.data);
  check(`${branch}/hFeat`, result.hFeat?.data);
  check('v', result.value.data);
  const [qRe, qIm] = splitParts(result.Q);
  const [kRe, kIm] = splitParts(result.dK);
  check('Qre', qRe);
  check('Qim', qIm);
  check('dKre', kRe);
  check('dKim', kIm);
  const next = expandState(result.state, config, plan);
  check('KNext', next.K?.data, 'state/KNext');
  check('HNext', next.H?.data, 'state/HNext');
  check('FKNextRe', next.FKRe?.data, 'state/FKNextRe');
  check('FKNextIm', next.FKIm?.data, 'state/FKNextIm');
  return outputs;
}

/** Real and imaginary parts of [batch, 2, m]. */
function splitParts(x: NDArray): [Float32Array, Float32Array] {
  const width = x.shape[2]!;
  const part = (index: number) =>
    Float32Array.from({ length: x.data.length / 2 }, (_, at) => {
      const row = Math.floor(at / width);
      return x.data[(2 * row + index) * width + (at % width)]!;
    });
  return [part(0), part(1)];
}
