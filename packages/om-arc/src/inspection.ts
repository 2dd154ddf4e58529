import type { Inspection, InspectRequest } from '@palimpsest/lm';
import { InputError, type NDArray, ndarray, runOnce, tf } from '@palimpsest/tensor-core';
import type { OmConfig } from './config.js';
import { initialStates, OmLLM } from './om-llm.js';
import type { OmParams } from './parameters.js';
import { contextIds } from './plan.js';
import type { OmModel } from './sequence-model.js';
import { entropyWatcher } from './telemetry.js';

/** What one segment shows. */
interface SegmentReading {
  /** Nats per token with the state, and with the first state in its place. */
  readonly loss: number;
  readonly resetLoss: number;
  /** Of every pass, nats. */
  readonly entropies: readonly number[];
  /** Of every layer's state after it. */
  readonly ranks: readonly number[];
}

/**
 * Reads a text segment by segment: what the state is worth in each, how sharply every pass retrieves, how many directions the
 * states of every layer use.
 * @throws InputError for another model, or a text shorter than a segment.
 */
export async function inspectOm({ engine, checkpoint, text, signal }: InspectRequest): Promise<Inspection> {
  const { model, tokenizer } = checkpoint;
  if (model.name !== 'om-arc')
    throw new InputError(`'${checkpoint.folder}' holds a '${model.name}', not an 'om-arc'.`);
  if (!tokenizer)
    throw new InputError(`'${checkpoint.folder}' has no tokenizer, so that it cannot read a text.`);
  const config = (model as unknown as OmModel).options;
  const ids = Int32Array.from(tokenizer.encode(text));
  const N = config.segmentLen;
  const segments = Math.floor((ids.length - 1) / N);
  if (segments < 1) {
    throw new InputError(`A segment has ${N} tokens, but the text has ${ids.length}; give a longer one.`);
  }
  const params = checkpoint.params as OmParams<NDArray>;
  const compiled = engine.compile(readSegment(config), { name: 'om inspection' });
  const readings: SegmentReading[] = [];
  let states = (await runOnce(
    engine,
    (tree: OmParams) => initialStates(tree, 1),
    params as never,
  )) as unknown as NDArray[];
  const first = states;
  try {
    for (let s = 0; s < segments && !signal?.aborted; s++) {
      const batch = segmentIds(config, ids, s);
      const result = await compiled(
        params as never,
        batch.inputs,
        batch.targets,
        states as never,
        first as never,
      );
      const [loss, resetLoss] = [await result.loss.item(), await result.resetLoss.item()];
      const entropies = await Promise.all(Object.values(result.entropies).map((value) => value.item()));
      states = await Promise.all(result.states.map((state) => state.toHost()));
      for (const held of [
        result.loss,
        result.resetLoss,
        ...Object.values(result.entropies),
        ...result.states,
      ])
        held.dispose();
      readings.push({ loss, resetLoss, entropies, ranks: states.map(effectiveRank) });
    }
  } finally {
    await compiled.dispose();
  }
  return present(config, readings);
}

function segmentIds(config: OmConfig, ids: Int32Array, segment: number) {
  const g = contextIds(config);
  const N = config.segmentLen;
  const start = segment * N;
  const inputs = Int32Array.from({ length: g + N }, (_, i) => ids[start + i - g] ?? config.padId);
  return {
    inputs: ndarray(inputs, [1, g + N], 'int32'),
    targets: ndarray(ids.slice(start + 1, start + 1 + N), [N], 'int32'),
  };
}

function readSegment(config: OmConfig) {
  const model = new OmLLM(config);
  const lossOf = (logits: tf.Tensor, targets: tf.Tensor) => {
    const own = tf.reshape(tf.slice(logits, [0, 0, 0], [-1, -1, config.vocabSize]), [
      targets.size,
      config.vocabSize,
    ]);
    const picked = tf.sum(
      tf.mul(tf.logSoftmax(own as tf.Tensor2D), tf.oneHot(targets as tf.Tensor1D, config.vocabSize)),
      1,
    );
    return tf.neg(tf.mean(picked));
  };
  return (
    params: OmParams,
    inputs: tf.Tensor,
    targets: tf.Tensor,
    states: tf.Tensor[],
    first: tf.Tensor[],
  ) => {
    const { watch, entropies } = entropyWatcher(config, true);
    const kept = model.forward(params, inputs, states, false, { form: 'sequential', watch: watch! });
    const reset = model.forward(params, inputs, first, false, { form: 'sequential' });
    return {
      loss: lossOf(kept.logits, targets),
      resetLoss: lossOf(reset.logits, targets),
      entropies: entropies(),
      states: kept.states,
    };
  };
}

/**
 * e to the entropy of the shares of a matrix's squared singular values (Roy & Vetterli 2007): between 1 and the number of
 * rows. @param state `[1, S, d]`
 */
export function effectiveRank(state: NDArray): number {
  const [, rows, width] = state.shape as [number, number, number];
  const gram = Array.from({ length: rows }, (_, i) =>
    Float64Array.from({ length: rows }, (_, j) => {
      let sum = 0;
      for (let k = 0; k < width; k++) sum += state.data[i * width + k]! * state.data[j * width + k]!;
      return sum;
    }),
  );
  const values = eigenvalues(gram).map((value) => Math.max(0, value));
  const total = values.reduce((sum, value) => sum + value, 0);
  const entropy = values.reduce(
    (sum, value) => (value > 0 ? sum - (value / total) * Math.log(value / total) : sum),
    0,
  );
  return Math.exp(entropy);
}

/** Eigenvalues of a symmetric matrix by Jacobi rotations; the matrix is changed. */
function eigenvalues(a: Float64Array[]): number[] {
  const n = a.length;
  for (let sweep = 0; sweep < 30; sweep++) {
    let off = 0;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) off += a[p]![q]! ** 2;
    if (off < 1e-18 * n) break;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) turn(a, p, q);
  }
  return a.map((row, i) => row[i]!);
}

function turn(a: Float64Array[], p: number, q: number): void {
  if (a[p]![q] === 0) return;
  const theta = (a[q]![q]! - a[p]![p]!) / (2 * a[p]![q]!);
  const t = Math.sign(theta || 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
  const c = 1 / Math.sqrt(t * t + 1);
  const s = t * c;
  for (let k = 0; k < a.length; k++) {
    const [x, y] = [a[k]![p]!, a[k]![q]!];
    a[k]![p] = c * x - s * y;
    a[k]![q] = s * x + c * y;
  }
  for (let k = 0; k < a.length; k++) {
    const [x, y] = [a[p]![k]!, a[q]![k]!];
    a[p]![k] = c * x - s * y;
    a[q]![k] = s * x + c * y;
  }
}

function present(config: OmConfig, readings: readonly SegmentReading[]): Inspection {
  const mean = (value: (reading: SegmentReading) => number) =>
    readings.reduce((sum, reading) => sum + value(reading), 0) / readings.length;
  const line = (name: string, value: (reading: SegmentReading) => number) => ({
    name,
    points: readings.map((reading, x) => ({ x, y: value(reading) })),
  });
  const lines = (title: string, yTitle: string, series: ReturnType<typeof line>[]) => ({
    kind: 'lines' as const,
    title,
    xTitle: 'segment',
    yTitle,
    series,
  });
  const later = readings.slice(1);
  const gain =
    later.reduce((sum, { loss, resetLoss }) => sum + resetLoss - loss, 0) / Math.max(1, later.length);
  return {
    facts: [
      ['layers', String(config.numLayers)],
      ['state vectors', String(config.stateLen)],
      ['segment', `${config.segmentLen} tokens`],
      ['segments read', String(readings.length)],
    ],
    summary: [
      `${mean(({ loss }) => loss).toFixed(3)} nats per token; after the first segment the state is worth ${gain.toFixed(3)}.`,
    ],
    sections: [
      {
        title: 'What the state is worth',
        note: 'Loss of every segment with the state that the ones before it left, and with the first state instead.',
        pictures: [
          lines('loss by segment', 'nats per token', [
            line('with the state', ({ loss }) => loss),
            line('reset', ({ resetLoss }) => resetLoss),
          ]),
        ],
      },
      {
        title: 'How sharply the passes retrieve',
        note: 'Mean entropy of the attention: low when a row retrieves one other, high when it averages.',
        pictures: [
          lines(
            'attention entropy',
            'nats',
            config.dimsKey.map((_width, pass) => line(`pass ${pass}`, ({ entropies }) => entropies[pass]!)),
          ),
        ],
      },
      {
        title: 'How many directions the states use',
        pictures: [
          lines(
            'effective rank of the state',
            'vectors',
            Array.from({ length: config.numLayers }, (_, layer) =>
              line(`layer ${layer}`, ({ ranks }) => ranks[layer]!),
            ),
          ),
        ],
      },
    ],
    data: { segments: readings as unknown as never },
  };
}
