import { slidingWindowMechanism, mechanism as transformer } from '@palimpsest/backbone/mechanism';
import { gru, linearAttention } from '@palimpsest/harness/controls';
import { type AnySequenceModel, type Mechanism, type ModelRegistry, stateBytes } from '@palimpsest/lm';
import { mechanism as omArc } from '@palimpsest/om-arc/mechanism';
import { mechanism as osam } from '@palimpsest/osam/mechanism';
import { mechanism as rsm } from '@palimpsest/rsm/mechanism';
import { type MechanismName, WINDOW } from '../choices.js';

/** A mechanism as it is trained here: what measurements favour at a size that a page trains in a minute. */
interface Trainable {
  readonly card: Mechanism;
  readonly options: Readonly<Record<string, unknown>>;
  /** Options that make the memory larger or smaller, and their values. */
  readonly sizes: Readonly<Record<string, readonly number[]>>;
}

const trainables: Readonly<Record<MechanismName, Trainable>> = {
  osam: {
    card: osam,
    options: { forgetting: 'mixed', width: 64 },
    sizes: { width: [16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176] },
  },
  rsm: {
    card: rsm,
    options: { chunk: 16, width: 64 },
    sizes: { chunk: [4, 8, 16], slots: [1, 4, 8, 12, 16, 24, 32, 48], width: [64, 32] },
  },
  'om-arc': {
    card: omArc,
    options: { segmentLen: 16, passes: 1, width: 64 },
    sizes: { segmentLen: [4, 8, 16], stateLen: [1, 2, 3, 4, 6, 8, 12, 16] },
  },
  'transformer-window': {
    card: slidingWindowMechanism,
    options: { window: 32, width: 64 },
    sizes: { window: [8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80], width: [64, 32, 16] },
  },
  gru: {
    card: gru,
    options: { width: 64 },
    // Wider layers would not be trained in minutes.
    sizes: { width: [64, 96, 128, 192, 256] },
  },
  'linear-attention': {
    card: linearAttention,
    options: { width: 64 },
    sizes: { heads: [2, 4, 8, 16], width: [32, 64, 96, 128, 192] },
  },
};

/** How checkpoints become models. */
export const models: ModelRegistry = Object.fromEntries(
  [osam, rsm, omArc, transformer, gru, linearAttention].flatMap(({ architectures = [] }) =>
    architectures.map(({ name, restore }) => [name, restore]),
  ),
);

/** The card of a model's mechanism, which may show its memory. */
export const cardOf = (model: AnySequenceModel): Mechanism | undefined =>
  [osam, rsm, omArc].find(({ architectures = [] }) => architectures.some(({ name }) => name === model.name));

export interface FreshModel {
  readonly model: AnySequenceModel;
  readonly learningRate: number;
}

/** A fresh model of a mechanism. @param bytes its memory comes as near to this as its options let it. Default: as it is */
export async function freshModel(
  mechanism: MechanismName,
  vocabSize: number,
  bytes?: number,
): Promise<FreshModel> {
  const { card, options, sizes } = trainables[mechanism];
  const contender = card.contenders?.[0];
  if (contender?.kind !== 'trained') throw new Error(`'${mechanism}' is not trained.`);
  const make = (more: Readonly<Record<string, unknown>>) =>
    contender.create(
      { vocabSize, trainLength: WINDOW, longestLength: WINDOW },
      contender.options.parse({ ...options, ...more }),
    );
  const { learningRate } = contender;
  if (bytes === undefined) return { model: make({}), learningRate };
  const sized = await Promise.all(
    combinations(sizes).map(async (more) => {
      const model = make(more);
      return { model, distance: Math.abs((await stateBytes(model)) - bytes) };
    }),
  );
  const [nearest] = sized.sort((a, b) => a.distance - b.distance);
  return { model: nearest!.model, learningRate };
}

/** Every choice of one value for each option. */
const combinations = (sizes: Trainable['sizes']): Readonly<Record<string, number>>[] =>
  Object.entries(sizes).reduce<Readonly<Record<string, number>>[]>(
    (so, [name, values]) => so.flatMap((chosen) => values.map((value) => ({ ...chosen, [name]: value }))),
    [{}],
  );
