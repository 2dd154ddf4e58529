import {
  crossEntropy,
  type Engine,
  type NDArray,
  tf,
  treeLeaves,
  valueAndGradient,
} from '@palimpsest/tensor-core';
import { takeToHost } from '../host.js';
import type { OsamModel } from '../model.js';
import type { OsamParams } from '../parameters.js';
import { referenceKey } from '../reference-keys.js';
import { emptyState, expandState, type OsamState } from '../state.js';
import { applicableForms } from './forms.js';
import { GoldenCase, type LoadedModel } from './golden-case.js';
import type { ParityCase, ParityContext, ParityHandler, ParityOutput } from './types.js';

/** Whole sequence, pieces, single steps and gradients of a language model, in every form. */
function languageModelHandler(kind: string, mode: 'parity' | 'improved'): ParityHandler {
  return {
    system: 'osam',
    kind,
    run: async (testCase: ParityCase, { engine }: ParityContext) => {
      const golden = new GoldenCase(testCase);
      const outputs: ParityOutput[] = [];
      for (const form of applicableForms(golden.options(mode))) {
        const loaded = golden.model({ form }, mode);
        const run = new LanguageModelRun(golden, loaded, engine as Engine, `${form}/`);
        outputs.push(...(await run.whole()), ...(await run.streaming()), ...(await run.gradients()));
      }
      return outputs;
    },
  };
}

export const languageModelHandlers: readonly ParityHandler[] = [
  languageModelHandler('lm', 'parity'),
  languageModelHandler('stack', 'parity'),
  languageModelHandler('lm-improved', 'improved'),
];

class LanguageModelRun {
  private readonly model: OsamModel;
  private readonly params: OsamParams<NDArray>;
  private readonly tokens: NDArray;

  constructor(
    private readonly golden: GoldenCase,
    loaded: LoadedModel,
    private readonly engine: Engine,
    private readonly prefix: string,
  ) {
    this.model = loaded.model;
    this.params = loaded.params;
    this.tokens = golden.array('in/x');
  }

  async whole(): Promise<ParityOutput[]> {
    const forward = this.engine.compile(
      (params: OsamParams, tokens: tf.Tensor2D, state: OsamState) => {
        const { blocks, ...result } = this.model.forward(params, tokens, state, {
          training: false,
          inspect: true,
          telemetry: true,
        });
        return { ...result, blocks: blocks! };
      },
      { name: 'osam parity forward' },
    );
    const result = await takeToHost(
      await forward(this.params as never, this.tokens, this.emptyState() as never),
    );
    await forward.dispose();
    const blocks = result.blocks as unknown as { output: NDArray; psi?: NDArray; vread: NDArray }[];
    const single = blocks.length === 1;
    return [
      ...this.check('logits', result.logits as unknown as NDArray),
      ...blocks.flatMap((block, index) => [
        ...this.check(single ? 'y' : `y${index}`, block.output),
        ...(block.psi ? this.check(single ? 'psi' : `psi${index}`, block.psi) : []),
        ...this.check(single ? 'vread' : `vread${index}`, block.vread),
      ]),
      ...this.checkState('', result.state as unknown as OsamState<NDArray>),
      ...this.checkTelemetry(result.telemetry as unknown as Record<string, NDArray>),
    ];
  }

  /** Two uneven pieces by the parallel form, and every token by itself. */
  async streaming(): Promise<ParityOutput[]> {
    const time = this.tokens.shape[1]!;
    const cut = Math.max(1, Math.floor(time / 3));
    const outputs: ParityOutput[] = [];
    const schedules: Record<string, number[]> = {
      pieces: cut < time ? [cut, time - cut] : [time],
      steps: new Array<number>(time).fill(1),
    };
    for (const [name, sizes] of Object.entries(schedules)) {
      const { logits, state } = await this.stream(sizes);
      outputs.push(...this.check('logits', logits, `${name}/`), ...this.checkState(`${name}/`, state));
    }
    return outputs;
  }

  private async stream(sizes: readonly number[]): Promise<{ logits: NDArray; state: OsamState<NDArray> }> {
    const run = this.engine.compile(
      (params: OsamParams, tokens: tf.Tensor2D, state: OsamState) => {
        if (tokens.shape[1] === 1) {
          const step = this.model.step(params, tf.reshape(tokens, [-1]) as tf.Tensor1D, state);
          return { logits: tf.expandDims(step.logits, 1) as tf.Tensor, state: step.state };
        }
        const { logits, state: next } = this.model.forward(params, tokens, state, { training: false });
        return { logits: logits as tf.Tensor, state: next };
      },
      { name: 'osam parity stream' },
    );
    const parts: NDArray[] = [];
    let state = this.emptyState();
    let from = 0;
    for (const size of sizes) {
      const result = await takeToHost(
        await run(this.params as never, columns(this.tokens, from, size), state as never),
      );
      parts.push(result.logits as unknown as NDArray);
      state = result.state as unknown as OsamState<NDArray>;
      from += size;
    }
    await run.dispose();
    return { logits: joinTime(parts), state };
  }

  async gradients(): Promise<ParityOutput[]> {
    if (!this.golden.has('in/y')) return [];
    const labelSmoothing = this.golden.member('labelSmoothing', 0);
    const gradient = this.engine.compile(
      (params: OsamParams, tokens: tf.Tensor2D, labels: tf.Tensor, state: OsamState) => {
        const { value, gradients } = valueAndGradient((current: OsamParams) => {
          const { logits } = this.model.forward(current, tokens, state, { training: false });
          const rows = tf.reshape(logits, [-1, this.model.vocabSize]);
          return crossEntropy(rows, tf.reshape(labels, [-1]), { labelSmoothing });
        }, params);
        return { loss: value as tf.Tensor, gradients: gradients as unknown as OsamParams };
      },
      { name: 'osam parity gradient' },
    );
    const result = await takeToHost(
      await gradient(
        this.params as never,
        this.tokens,
        this.golden.array('in/y'),
        this.emptyState() as never,
      ),
    );
    await gradient.dispose();
    const found = new Map(
      treeLeaves<NDArray>(result.gradients).map(({ path, leaf }) => [this.key(path), leaf] as const),
    );
    const names = treeLeaves(this.params).map(({ path }) => this.key(path));
    const none = names.filter((name) => !found.has(name)).sort();
    const expectedNone = [...this.golden.member<string[]>('gradNone', [])].sort();
    return [
      ...this.check('loss', result.loss as unknown as NDArray),
      this.golden.output(`${this.prefix}gradNone`, none.join(' '), expectedNone.join(' ')),
      ...[...found].flatMap(([name, leaf]) =>
        this.golden.has(`grad/${name}`)
          ? [
              this.golden.output(
                `${this.prefix}grad/${name}`,
                leaf.data,
                this.golden.tensor(`grad/${name}`).data,
                'grad',
              ),
            ]
          : [],
      ),
    ];
  }

  /** Our path as the case names it; a stack of one block may be named either way. */
  private key(path: string): string {
    const name = referenceKey(path, this.model.options);
    const asStack = name.replace(/^osam\./, 'blocks.0.');
    return this.golden.has(`weights/${name}`) ? name : asStack;
  }

  private emptyState(): OsamState<NDArray> {
    return emptyState(this.model.options, this.model.plans, this.tokens.shape[0]!);
  }

  private check(name: string, actual: NDArray, part = ''): ParityOutput[] {
    if (!this.golden.has(`out/${name}`)) return [];
    return [
      this.golden.output(
        this.prefix + part + name,
        actual.data,
        this.golden.tensor(`out/${name}`).data,
        name,
      ),
    ];
  }

  private checkState(part: string, state: OsamState<NDArray>): ParityOutput[] {
    return state.blocks.flatMap((block, index) => {
      const dense = expandState(block, this.model.options, this.model.plans[index]!);
      const named = { K: dense.K, H: dense.H, G: dense.H, FKRe: dense.FKRe, FKIm: dense.FKIm };
      return Object.entries(named).flatMap(([name, actual]) =>
        [name, `${name}${index}`].flatMap((key) =>
          actual && this.golden.has(`state/${key}`) && (key !== name || index === 0)
            ? [
                this.golden.output(
                  `${this.prefix}${part}state/${key}`,
                  actual.data,
                  this.golden.tensor(`state/${key}`).data,
                ),
              ]
            : [],
        ),
      );
    });
  }

  private checkTelemetry(telemetry: Record<string, NDArray>): ParityOutput[] {
    const names = ['phiNorm', 's1Norm', 'gateFeat', 'gateVal', 'thetaQ', 'thetaK', 'omega'];
    const values = Float32Array.from(names, (name) => telemetry[name]!.data[0]!);
    return this.check('tel', { data: values, shape: [names.length], dtype: 'float32' });
  }
}

/** Columns [from, from + size) of int32 [batch, time]. */
function columns(tokens: NDArray, from: number, size: number): NDArray {
  const [batch, time] = tokens.shape as [number, number];
  const data = Int32Array.from({ length: batch * size }, (_, index) => {
    return tokens.data[Math.floor(index / size) * time + from + (index % size)]!;
  });
  return { data, shape: [batch, size], dtype: 'int32' };
}

/** Joins [batch, time_i, width] along time. */
function joinTime(parts: readonly NDArray[]): NDArray {
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
  return { data, shape: [batch, time, width], dtype: 'float32' };
}
