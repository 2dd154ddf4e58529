import { type InputError, type NDArray, Rng, treeLeaves } from '@palimpsest/base';
import { countParameters } from '../model-size.js';
import type { AnySequenceModel, JsonObject } from '../sequence-model.js';
import { treeDifference } from './check-tree.js';
import { firstNonFinite } from './finite.js';

/** A sentence about a checkpoint that cannot be what it says: the file and what is wrong with it. */
export type Torn = (file: string, what: string) => InputError;

const CONFIG = 'config.json';
const MODEL = 'model.safetensors';
const OPTIMIZER = 'optimizer.safetensors';

/** Makes a model from its stored configuration. @throws InputError for one of which no model can be made. */
export async function modelOf(
  factory: (config: JsonObject) => AnySequenceModel | Promise<AnySequenceModel>,
  config: JsonObject,
  torn: Torn,
): Promise<AnySequenceModel> {
  try {
    return await factory(config);
  } catch (error) {
    throw torn(CONFIG, `has a 'model.config' of which no model can be made (${(error as Error).message})`);
  }
}

/**
 * Checks that stored parameters are those of the model that config.json describes: paths, shapes, element types, their
 * number, and that all of them are numbers.
 * @param stated `parameters` of config.json
 */
export function checkParameters(model: AnySequenceModel, params: unknown, stated: number, torn: Torn): void {
  const count = countParameters(params);
  if (count !== stated) {
    throw torn(CONFIG, `says that the model has ${stated} parameters, but ${MODEL} holds ${count}`);
  }
  const difference = treeDifference(freshParameters(model, count, torn), params);
  if (difference !== undefined) {
    throw torn(MODEL, `${difference}, as the model that config.json describes has its parameters`);
  }
  const wrong = firstNonFinite(params);
  if (wrong !== undefined) throw torn(MODEL, `holds numbers that are not finite, in '${wrong}'`);
}

/** Parameters of the model's shapes; no more numbers are drawn than a model of about the stored size needs. */
function freshParameters(model: AnySequenceModel, count: number, torn: Torn): unknown {
  try {
    return model.init(Rng.ofShapes(16 * count + 1e6));
  } catch (error) {
    const reason = error instanceof RangeError ? 'it is too large' : (error as Error).message;
    throw torn(CONFIG, `describes another model than that of ${count} parameters in ${MODEL}: ${reason}`);
  }
}

/** What optimisers keep in the structure of the parameters. */
interface OptimizerTrees {
  readonly first?: unknown;
  readonly second?: unknown;
  /** Of a schedule-free optimiser: where its plain steps have come to, and the weights that it trains. */
  readonly base?: unknown;
  readonly trainedParameters?: unknown;
  /** Running mean of the weights, which is evaluated while `trainedParameters` are trained. */
  readonly mean?: unknown;
  readonly step?: NDArray;
}

/** The trees that belong to what is there; one of them that is missing is torn away. */
function belongingTrees({ first, second, base, mean, trainedParameters }: OptimizerTrees) {
  const moments = first !== undefined || second !== undefined ? { first, second } : {};
  const isMean = mean !== undefined || (trainedParameters !== undefined && first !== undefined);
  if (isMean) return { ...moments, mean, trainedParameters };
  const isScheduleFree = base !== undefined || trainedParameters !== undefined;
  return isScheduleFree ? { second, base, trainedParameters } : moments;
}

/**
 * Checks the state of an optimiser: finite numbers, and where it has moments or an average, these and the weights in the shapes
 * of the parameters, the second moments not negative.
 */
export function checkOptimizer(optimizer: unknown, params: unknown, torn: Torn): void {
  if (optimizer === undefined) {
    throw torn(OPTIMIZER, 'is not listed in config.json, so the run cannot go on exactly');
  }
  const wrong = firstNonFinite(optimizer);
  if (wrong !== undefined) throw torn(OPTIMIZER, `holds numbers that are not finite, in '${wrong}'`);
  const { second, step } = optimizer as OptimizerTrees;
  const trees = Object.entries(belongingTrees(optimizer as OptimizerTrees));
  if (trees.length === 0) return;
  for (const [name, moments] of trees) {
    const difference = treeDifference(params, moments);
    if (difference !== undefined) {
      throw torn(
        OPTIMIZER,
        `${difference} in '${name}', where every parameter has ${name === 'first' || name === 'second' ? 'a moment' : 'a place'}`,
      );
    }
  }
  const steps = step?.data[0] ?? Number.NaN;
  if (step?.data.length !== 1 || !(steps >= 0)) throw torn(OPTIMIZER, "has no number of steps in 'step'");
  if (firstNegative(second)) throw torn(OPTIMIZER, "has a negative number in 'second', where squares are");
}

function firstNegative(tree: unknown): boolean {
  return treeLeaves<NDArray>(tree).some(({ leaf }) => leaf.data.some((value) => value < 0));
}
