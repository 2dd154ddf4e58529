import type { GoldenCase, GoldenHandler } from '@palimpsest/base/golden';
import {
  crossEntropy,
  type Engine,
  type NDArray,
  runOnce,
  type tf as TensorFlow,
  takeToHost,
  tf,
  treeLeaves,
  valueAndGradient,
} from '@palimpsest/tensor-core';
import type { OsamConfig } from '../config.js';
import type { OsamModel } from '../model.js';
import type { OsamParams } from '../parameters.js';
import { referenceKey } from '../reference-keys.js';
import { emptyState, type OsamState } from '../state.js';
import { applicableForms, loadModel, optionsOf } from './loaded-case.js';
import { FormOutputs } from './outputs.js';

/** Whole sequence, pieces, single steps and gradients of a language model, in every form. */
function languageModelHandler(kind: string, mode: OsamConfig['mode']): GoldenHandler {
  return {
    system: 'osam',
    kind,
    async run(testCase, { engine }) {
      const result = new FormOutputs();
      for (const form of applicableForms(optionsOf(testCase, mode))) {
        const run = new LanguageModelRun(testCase, engine as Engine, mode, form, result);
        await run.whole();
        await run.streaming();
        await run.gradients();
      }
      return result.outputs;
    },
  };
}

export const languageModelHandlers: readonly GoldenHandler[] = [
  languageModelHandler('lm', 'parity'),
  languageModelHandler('stack', 'parity'),
  languageModelHandler('lm-improved', 'improved'),
];

const TELEMETRY = ['phiNorm', 's1Norm', 'gateFeat', 'gateVal', 'thetaQ', 'thetaK', 'omega'];

class LanguageModelRun {
  readonly #model: OsamModel;
  readonly #params: OsamParams<NDArray>;
  readonly #tokens: NDArray<'int32'>;

  constructor(
    private readonly testCase: GoldenCase,
    private readonly engine: Engine,
    mode: OsamConfig['mode'],
    private readonly form: OsamConfig['form'],
    private readonly result: FormOutputs,
  ) {
    const { model, params } = loadModel(testCase, mode, form);
    this.#model = model;
    this.#params = params;
    this.#tokens = testCase.array('in/x');
  }

  async whole(): Promise<void> {
    const forward = (params: OsamParams, tokens: TensorFlow.Tensor2D, state: OsamState) => {
      const {
        blocks,
        telemetry,
        logits,
        state: after,
      } = this.#model.forward(params, tokens, state, {
        training: false,
        inspect: true,
        telemetry: true,
      });
      const seen = blocks!.map(({ output, psi, vread }) => ({ output, vread, psi }));
      return { logits: logits as tf.Tensor, blocks: seen, telemetry: telemetry!, state: after };
    };
    const out = await runOnce(this.engine, forward, this.#params, this.#tokens, this.#empty());
    this.result.offer('out/logits', this.form, out.logits.data);
    out.blocks.forEach(({ output, psi, vread }, block) => {
      this.result.offerOfBlock('out/y', block, this.form, output.data);
      this.result.offerOfBlock('out/psi', block, this.form, psi?.data);
      this.result.offerOfBlock('out/vread', block, this.form, vread.data);
    });
    this.#model.plans.forEach(({ key, sums }, block) => {
      this.result.offerOfBlock('out/usedBuckets', block, this.form, key.used);
      this.result.offerOfBlock('out/liveSumBuckets', block, this.form, sums.live.toSorted());
    });
    this.result.offerState(this.#model, out.state as OsamState<NDArray>, this.form);
    const telemetry = TELEMETRY.map((name) => out.telemetry[name]!.data[0]!);
    this.result.offer('out/tel', this.form, telemetry);
  }

  /** Two uneven pieces by the parallel form, and every token by itself. */
  async streaming(): Promise<void> {
    const time = this.#tokens.shape[1]!;
    const cut = Math.max(1, Math.floor(time / 3));
    const schedules = {
      pieces: cut < time ? [cut, time - cut] : [time],
      steps: new Array<number>(time).fill(1),
    };
    for (const [name, sizes] of Object.entries(schedules)) {
      const { logits, state } = await this.#stream(sizes);
      const label = `${this.form} ${name}`;
      this.result.offer('out/logits', label, logits);
      this.result.offerState(this.#model, state, label);
    }
  }

  async #stream(sizes: readonly number[]) {
    const run = this.engine.compile(
      (params: OsamParams, tokens: TensorFlow.Tensor2D, state: OsamState) => {
        if (tokens.shape[1] === 1) {
          const step = this.#model.step(params, tf.reshape(tokens, [-1]) as TensorFlow.Tensor1D, state);
          return { logits: tf.expandDims(step.logits, 1) as tf.Tensor, state: step.state };
        }
        const { logits, state: next } = this.#model.forward(params, tokens, state, { training: false });
        return { logits: logits as tf.Tensor, state: next };
      },
      { name: 'osam stream' },
    );
    const parts: NDArray[] = [];
    let state: OsamState<NDArray> = this.#empty();
    let from = 0;
    for (const size of sizes) {
      const out = await takeToHost(await run(this.#params, columns(this.#tokens, from, size), state));
      parts.push(out.logits);
      state = out.state as OsamState<NDArray>;
      from += size;
    }
    await run.dispose();
    return { logits: joinTime(parts), state };
  }

  async gradients(): Promise<void> {
    if (!this.testCase.has('in/y')) return;
    const labelSmoothing = this.testCase.member('labelSmoothing', 0);
    const gradient = (
      params: OsamParams,
      tokens: TensorFlow.Tensor2D,
      labels: tf.Tensor,
      state: OsamState,
    ) => {
      const { value, gradients } = valueAndGradient((current: OsamParams) => {
        const { logits } = this.#model.forward(current, tokens, state, { training: false });
        const rows = tf.reshape(logits, [-1, this.#model.vocabSize]);
        return crossEntropy(rows, tf.reshape(labels, [-1]), { labelSmoothing });
      }, params);
      return { loss: value as tf.Tensor, gradients: gradients as unknown };
    };
    const labels = this.testCase.array('in/y');
    const out = await runOnce(this.engine, gradient, this.#params, this.#tokens, labels, this.#empty());
    this.result.offer('out/loss', this.form, out.loss.data);
    // Parameters without a gradient have no entry; one that the case does not expect fails there.
    for (const { path, leaf } of treeLeaves<NDArray>(out.gradients)) {
      this.result.outputs[`grad/${this.#key(path)}@${this.form}`] = leaf.data;
    }
  }

  /** Our path as the case names it; a stack of one block may be named either way. */
  #key(path: string): string {
    const name = referenceKey(path, this.#model.options);
    return this.testCase.has(`weights/${name}`) ? name : name.replace(/^osam\./, 'blocks.0.');
  }

  #empty(): OsamState<NDArray> {
    return emptyState(this.#model.options, this.#model.plans, this.#tokens.shape[0]!);
  }
}

/** Columns [from, from + size) of int32 [batch, time]. */
function columns(tokens: NDArray<'int32'>, from: number, size: number): NDArray<'int32'> {
  const [batch, time] = tokens.shape as [number, number];
  const data = Int32Array.from({ length: batch * size }, (_, index) => {
    return tokens.data[Math.floor(index / size) * time + from + (index % size)]!;
  });
  return { data, shape: [batch, size], dtype: 'int32' };
}

/** Joins [batch, time_i, width] along time. */
function joinTime(parts: readonly NDArray[]): Float32Array {
  const [batch, , width] = parts[0]!.shape as [number, number, number];
  const time = parts.reduce((sum, part) => sum + part.shape[1]!, 0);
  const data = new Float32Array(batch * time * width);
  let from = 0;
  for (const part of parts) {
    const size = part.shape[1]! * width;
    for (let row = 0; row < batch; row++) {
      data.set(part.data.subarray(row * size, (row + 1) * size), row * time * width + from);
    }
    from += size;
  }
  return data;
}
