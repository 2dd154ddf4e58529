import type { GoldenCase, GoldenHandler, GoldenOutputs } from '@palimpsest/base/golden';
import { crossEntropy, type NDArray, tf, valueAndGradient } from '@palimpsest/tensor-core';
import { runCell } from '../cell.js';
import type { OmConfig } from '../config.js';
import { embedIds } from '../embedding.js';
import type { Form } from '../forms.js';
import { splitLayers } from '../layer-stack.js';
import { initialStates, OmLLM, setupOf } from '../om-llm.js';
import type { OmParams } from '../parameters.js';
import { contextIds } from '../plan.js';
import { layoutMask, layoutRows, runSegment } from '../segment.js';
import { modelCorrespondences } from '../weights/model-keys.js';
import { gradientOutputs, modelOf, runOnce, stateOutputs } from './case-parts.js';

/** Mean cross-entropy over the ids that exist; the padded ones, at −Infinity, change no softmax. */
export function meanLoss(config: OmConfig, logits: tf.Tensor, targets: tf.Tensor): tf.Tensor {
  const rows = targets.size;
  const own = tf.slice(logits, [0, 0, 0], [-1, -1, config.vocabSize]);
  return crossEntropy(tf.reshape(own, [rows, config.vocabSize]), tf.reshape(targets, [rows]));
}

/** The whole model's logits, states, loss and gradients in one form. */
async function runForm(testCase: GoldenCase, engine: unknown, form: Form) {
  const { config, params } = modelOf(testCase);
  const model = new OmLLM(config);
  const differentiate = (tree: OmParams, ids: tf.Tensor, targets: tf.Tensor) => {
    const { value, gradients, aux } = valueAndGradient((weights: OmParams) => {
      const { logits, states } = model.forward(weights, ids, [], false, { form });
      return [meanLoss(config, logits, targets), { logits, states }] as const;
    }, tree);
    return { loss: value, gradients, result: aux };
  };
  const [ids, targets] = [testCase.array('in/ids'), testCase.array('in/targets')];
  const { loss, gradients, result } = await runOnce(engine, differentiate, params, ids, targets);
  const states = result.states as NDArray[];
  const outputs: GoldenOutputs = {
    'out/logits': (result.logits as NDArray).data,
    'out/loss': (loss as NDArray).data,
    ...stateOutputs('state', states),
    ...gradientOutputs(testCase, modelCorrespondences(config, params), params, gradients),
  };
  return { config, params, outputs };
}

/** Embeddings of the first segment, and what its first layer makes of them. */
function firstLayer(config: OmConfig) {
  return (params: OmParams, ids: tf.Tensor) => {
    const setup = setupOf(config);
    const x = embedIds(config, params, ids);
    const tokens = Math.min(config.segmentLen, x.shape[1]!);
    const segment = tf.slice(x, [0, 0, 0], [-1, tokens, -1]);
    const layer = splitLayers(params)[0]!;
    const state = tf.expandDims(initialStates(params, ids.shape[0]!)[0]!, 0);
    const rows = tf.expandDims(segment, 0);
    const places = [{ layer: 0, segment: 0 }];
    const length = tokens + 2 * config.stateLen;
    const cell = runCell(
      setup,
      layer.params,
      [
        { region: 'read', rows: state },
        { region: 'token', rows },
        { region: 'write', rows: state },
      ],
      { places, rows: layoutRows(setup, tokens, 'read', 'write'), ...layoutMask(setup, length, length) },
    );
    const whole = runSegment(setup, { ...layer, places }, rows, state);
    return { segment, cellX: cell.output!, cellState: cell.written!, x: whole.x, state: whole.state };
  };
}

async function runModel(testCase: GoldenCase, engine: unknown): Promise<GoldenOutputs> {
  const { config, params, outputs } = await runForm(testCase, engine, 'sequential');
  const wave = config.finalMlpMultiplier === 1 ? (await runForm(testCase, engine, 'wavefront')).outputs : {};
  const side = Object.fromEntries(Object.entries(wave).map(([name, value]) => [`${name}@wavefront`, value]));
  if (!testCase.has('out/seg0embedded')) return { ...outputs, ...side };
  const first = await runOnce(engine, firstLayer(config), params, testCase.array('in/ids'));
  const of = (array: unknown) => (array as NDArray).data;
  return {
    ...outputs,
    ...side,
    'out/seg0embedded': of(first.segment),
    'out/seg0layer0Arc/x': of(first.cellX),
    'out/seg0layer0Arc/state': of(first.cellState),
    'out/seg0layer0/x': of(first.x),
    'out/seg0layer0/state': of(first.state),
  };
}

const kindOf = (kind: string): GoldenHandler => ({
  system: 'om-arc',
  kind,
  run: (testCase, { engine }) => runModel(testCase, engine),
});

/** The whole model with all gradients, one segment after the other and as a wavefront. */
export const modelCase = kindOf('model');
/** The same for the repaired defaults. */
export const improvedCase = kindOf('derived-improved');

/** Chunks against the whole, states in and out, and the logits of the next token alone. */
export const streamingCase: GoldenHandler = {
  system: 'om-arc',
  kind: 'streaming',
  async run(testCase, { engine }) {
    const { config, params } = modelOf(testCase);
    const model = new OmLLM(config);
    const { segmentLen: N } = config;
    const g = contextIds(config);
    const run = (tree: OmParams, ids: tf.Tensor) => {
      const total = ids.shape[1]!;
      // In positions of the output: two cuts at segment borders, the second as late as it can be.
      const late = Math.floor((total - g - 1) / N) * N;
      const part = (from: number, to: number) => tf.slice(ids, [0, from], [-1, to - from]);
      const call = (from: number, to: number, states: readonly tf.Tensor[] = [], next = false) =>
        model.forward(tree, part(from, to + g), states, next);
      const a = call(0, N);
      const b = call(N, late, a.states);
      const open = call(0, N - 3);
      return {
        full: call(0, total - g),
        a,
        b,
        c: call(late, total - g, b.states),
        nextFull: call(0, total - g, [], true),
        nextWhole: call(0, 2 * N, [], true),
        nextOpen: call(0, N - 3, [], true),
        unaligned: call(N - 3, 2 * N - 5, open.states).logits,
      };
    };
    const result = await runOnce(engine, run, params, testCase.array('in/ids'));
    const logits = (name: keyof typeof result) => (result[name] as { logits: NDArray }).logits.data;
    const states = (name: keyof typeof result) => (result[name] as { states: NDArray[] }).states;
    // The reference gives untouched first states back without a batch; ours has one, of equal rows.
    const untouched = states('nextOpen').map((state) => ({
      ...state,
      data: state.data.slice(0, state.data.length / state.shape[0]!),
    })) as NDArray[];
    return {
      'out/logitsFull': logits('full'),
      'out/logitsA': logits('a'),
      'out/logitsB': logits('b'),
      'out/logitsC': logits('c'),
      'out/nextTokenFull': logits('nextFull'),
      'out/nextTokenTwoSegments': logits('nextWhole'),
      'out/nextTokenPartialOnly': logits('nextOpen'),
      'out/unalignedSecondChunk': (result.unaligned as NDArray).data,
      ...stateOutputs('state/full', states('full')),
      ...stateOutputs('state/afterA', states('a')),
      ...stateOutputs('state/afterB', states('b')),
      ...stateOutputs('state/afterC', states('c')),
      ...stateOutputs('state/nextTokenFull', states('nextFull')),
      ...stateOutputs('state/nextTokenTwoSegments', states('nextWhole')),
      ...stateOutputs('state/nextTokenPartialOnly', untouched),
    };
  },
};
