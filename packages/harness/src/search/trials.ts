import type { TrainedContender } from '@palimpsest/lm';
import { InputError, Rng } from '@palimpsest/tensor-core';
import { canonicalJson } from '../cells/canonical-json.js';
import type { CellSpecInput } from '../cells/cell.js';
import type { Contender } from '../cells/task.js';

/** Peak learning rates that are tried for everyone, one octave apart. */
export const SEARCHED_RATES = [1e-3, 2e-3, 4e-3, 8e-3] as const;

type JsonOptions = NonNullable<CellSpecInput['modelOptions']>;

/** One setting of a model. */
export interface Trial {
  readonly model: string;
  readonly learningRate: number;
  /** What differs from the model's defaults. */
  readonly modelOptions: JsonOptions;
  /** Whether it is the model as its card has it. */
  readonly isDefault: boolean;
}

/**
 * The settings of a model that are tried: its defaults at its own rate first, then others drawn without repetition from
 * every combination of {@link SEARCHED_RATES} with the values that its card names (`search`).
 *
 * @param count trials, the same for every model; fewer only when there are no more combinations.
 * @throws InputError for a model that is not trained, or a count below 1.
 */
export function drawTrials(contender: Contender, count: number, seed: number): Trial[] {
  if (count < 1) throw new InputError(`A search needs at least one trial, not ${count}.`);
  if (contender.kind !== 'trained') {
    throw new InputError(`'${contender.name}' is counted, not trained, so that there is nothing to search.`);
  }
  const { name: model, learningRate } = contender;
  const standard: Trial = { model, learningRate, modelOptions: {}, isDefault: true };
  const defaults = contender.options.parse({});
  const others = combinations(contender.search ?? {}).flatMap((given) => {
    const changed = Object.entries(given).filter(
      ([key, value]) => canonicalJson(defaults[key]) !== canonicalJson(value),
    );
    const modelOptions = Object.fromEntries(changed);
    return SEARCHED_RATES.map(
      (rate): Trial => ({ model, learningRate: rate, modelOptions, isDefault: false }),
    );
  });
  const rest = others.filter((trial) => !isSame(trial, standard));
  const order = Rng.fromSeed(seed).permutation(rest.length);
  return [standard, ...Array.from(order, (place) => rest[place]!)].slice(0, count);
}

function combinations(space: NonNullable<TrainedContender['search']>): JsonOptions[] {
  return Object.entries(space).reduce<JsonOptions[]>(
    (all, [name, values]) => all.flatMap((given) => values.map((value) => ({ ...given, [name]: value }))),
    [{}],
  );
}

/** Whether two settings are one. */
export function isSame(a: Trial, b: Trial): boolean {
  const text = ({ model, learningRate, modelOptions }: Trial) =>
    canonicalJson([model, learningRate, modelOptions]);
  return text(a) === text(b);
}
