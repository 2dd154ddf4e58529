import {
  type AdamWState,
  adamw,
  type Compiled,
  clipByGlobalNorm,
  crossEntropy,
  disposeTree,
  type Engine,
  InputError,
  type NDArray,
  ndarray,
  type Rng,
  type ToInput,
  takeToHost,
  tf,
  valueAndGradient,
} from '@palimpsest/tensor-core';
import { updatedSummary } from '../model/session-summary.js';
import { fusedScores } from '../retrieval/fused-score.js';
import type { ConversationConfig } from './config.js';
import {
  type HeadInputs,
  type HeadParameters,
  headsInit,
  memoryDirections,
  queryDirections,
} from './heads.js';

/** Standardised features of a session: of facts in their order and of queries, each with the fact that answers it. */
export interface FeatureSession {
  readonly facts: readonly { readonly centroid: Float32Array; readonly hidden: Float32Array }[];
  readonly queries: readonly {
    readonly centroid: Float32Array;
    readonly hidden: Float32Array;
    readonly target: number;
  }[];
}

export interface TrainHeadsOptions {
  /** Ends training early: what was learned is given up, and the promise fails with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Default 600. */
  readonly steps?: number;
  /** Sessions per step. Default 6. */
  readonly batch?: number;
  /** Highest learning rate. Default 4e-3. */
  readonly learningRate?: number;
  /** What the maps begin as. Default: as `headsInit` draws them. */
  readonly first?: (rng: Rng) => HeadParameters<NDArray>;
  readonly onStep?: (step: number, loss: number) => void;
}

const WARMUP = 20;
const CLIP = 1;
const DECAY = 0.01;
/** Score of a place in the batch that holds no memory. */
const ABSENT = -1e9;

type Batch<T = NDArray> = {
  readonly memories: HeadInputs<T>;
  readonly times: T;
  readonly queries: HeadInputs<T>;
  /** Added to the scores, `[sessions, 1, facts]`. */
  readonly absent: T;
  /** int32 `[sessions · queries]`, −1 where there is no query. */
  readonly targets: T;
};

type Step = Compiled<
  [HeadParameters, AdamWState<HeadParameters>, Batch<tf.Tensor>, tf.Tensor],
  { heads: HeadParameters; optimizer: AdamWState<HeadParameters>; loss: tf.Tensor }
>;

/**
 * Trains the maps of retrieval by contrast: for each query all memories of its session but one are negatives.
 * @throws InputError without sessions that have queries.
 */
export async function trainHeads(
  engine: Engine,
  config: ConversationConfig,
  width: number,
  sessions: readonly FeatureSession[],
  rng: Rng,
  { steps = 600, batch = 6, learningRate = 4e-3, onStep, signal, first: begun }: TrainHeadsOptions = {},
): Promise<HeadParameters<NDArray>> {
  if (!sessions.some(({ queries }) => queries.length > 0)) {
    throw new InputError('Retrieval is trained on sessions with queries, but there is none.');
  }
  const optimizer = adamw({
    weightDecay: 0,
    groups: [{ match: (path) => path.endsWith('weight'), weightDecay: DECAY }],
  });
  const step: Step = engine.compile(
    (heads: HeadParameters, state: AdamWState<HeadParameters>, given: Batch<tf.Tensor>, rate: tf.Tensor) => {
      const { value, gradients } = valueAndGradient(
        (own: HeadParameters) => contrast(own, given, config.tau),
        heads,
      );
      const clipped = clipByGlobalNorm(gradients, CLIP).gradients;
      const next = optimizer.update(heads, clipped, state, { learningRate: rate });
      return { heads: next.parameters, optimizer: next.state, loss: value };
    },
    { name: 'retrieval step', donate: [0, 1] },
  );
  const shape = {
    facts: Math.max(...sessions.map(({ facts }) => facts.length)),
    queries: Math.max(...sessions.map(({ queries }) => queries.length)),
    width,
  };
  const first = begun ? begun(rng) : headsInit(config, width, rng);
  let heads: ToInput<HeadParameters> = first;
  let state: ToInput<AdamWState<HeadParameters>> = optimizer.init(first);
  for (let at = 0; at < steps; at++) {
    signal?.throwIfAborted();
    const chosen = Array.from({ length: batch }, () => sessions[rng.int(sessions.length)]!);
    const rate = learningRate * Math.min(1, (at + 1) / WARMUP) * (1 - at / steps);
    const given = batchOf(chosen, shape, config.featureNoise, rng);
    const result = await step(heads, state, given, ndarray([rate], []));
    heads = result.heads;
    state = result.optimizer;
    const loss = await takeToHost({ loss: result.loss });
    onStep?.(at, (loss as { loss: NDArray }).loss.data[0]!);
  }
  disposeTree(state);
  await step.dispose();
  return (await takeToHost(heads)) as HeadParameters<NDArray>;
}

/** Mean cross-entropy of the scores over the temperature, over all queries. */
function contrast(
  heads: HeadParameters,
  { memories, times, queries, absent, targets }: Batch<tf.Tensor>,
  tau: number,
) {
  const dirn = memoryDirections(heads, memories, times);
  const asked = queryDirections(heads, queries);
  const scores = tf.add(tf.div(fusedScores(asked, dirn, heads.rawBundleWeight), tau), absent);
  const facts = scores.shape.at(-1)!;
  return crossEntropy(tf.reshape(scores, [-1, facts]), targets, { ignoreIndex: -1 });
}

function batchOf(
  sessions: readonly FeatureSession[],
  { facts, queries, width }: { facts: number; queries: number; width: number },
  noise: number,
  rng: Rng,
): Batch {
  const rows = (count: number) => new Float32Array(sessions.length * count * width);
  const memories = { centroid: rows(facts), hidden: rows(facts), summary: rows(facts) };
  const asked = { centroid: rows(queries), hidden: rows(queries), summary: rows(queries) };
  const times = new Float32Array(sessions.length * facts);
  const absent = new Float32Array(sessions.length * facts).fill(ABSENT);
  const targets = new Int32Array(sessions.length * queries).fill(-1);
  const noisy = (vector: Float32Array) => vector.map((value) => value + noise * rng.normal());
  sessions.forEach((session, s) => {
    let summary: Float32Array | undefined;
    session.facts.forEach(({ centroid, hidden }, i) => {
      const at = s * facts + i;
      const seen = noisy(hidden);
      summary = updatedSummary(summary, seen);
      memories.centroid.set(noisy(centroid), at * width);
      memories.hidden.set(seen, at * width);
      memories.summary.set(summary, at * width);
      times[at] = i;
      absent[at] = 0;
    });
    session.queries.forEach(({ centroid, hidden, target }, i) => {
      const at = s * queries + i;
      asked.centroid.set(noisy(centroid), at * width);
      asked.hidden.set(noisy(hidden), at * width);
      if (summary) asked.summary.set(summary, at * width);
      targets[at] = target;
    });
  });
  const tensors = (parts: typeof memories, count: number) => ({
    centroid: ndarray(parts.centroid, [sessions.length, count, width]),
    hidden: ndarray(parts.hidden, [sessions.length, count, width]),
    summary: ndarray(parts.summary, [sessions.length, count, width]),
  });
  return {
    memories: tensors(memories, facts),
    times: ndarray(times, [sessions.length, facts]),
    queries: tensors(asked, queries),
    absent: ndarray(absent, [sessions.length, 1, facts]),
    targets: ndarray(targets, [targets.length], 'int32'),
  };
}
