import { readSafetensors, type SafeTensor, writeSafetensors } from '@palimpsest/base';
import {
  formatShape,
  InputError,
  type NDArray,
  ndarray,
  treeMap,
  treeToRecord,
} from '@palimpsest/tensor-core';
import type { MemoryConfig } from '../config.js';
import type { AdapterParameters } from './adapters.js';

/** What is kept beside trained adapters. */
export interface TrainingProvenance {
  /** Where the adapters come from, free text; checked on loading where it is asked for. */
  readonly provenance: string;
  readonly steps: number;
  readonly elapsedSeconds: number;
  readonly preProbe: Readonly<Record<string, number>>;
  readonly postProbe: Readonly<Record<string, number>>;
}

export interface LoadWeightsOptions {
  /** The provenance that the file must have. */
  readonly provenance?: string;
  /** Refuse a file that lacks a parameter, has one too many, or one of another shape. Default true. */
  readonly strict?: boolean;
}

/** What came of loading. */
export interface LoadedWeights {
  readonly adapters: AdapterParameters<NDArray>;
  readonly stats: {
    readonly loaded: number;
    /** Tensors of the file that are no parameter here. */
    readonly skipped: number;
    /** Parameters whose tensor is missing or has another shape; they stay as they were. */
    readonly shapeErrs: number;
    readonly provenance: string;
    readonly path: string;
  };
}

/** Sizes that tell whether adapters belong to a memory. */
function configSummary(config: MemoryConfig): Record<string, number> {
  const { dLLM, lMem, dTime, dFTime, dTopic, dFTopic, dCtx, dFCtx, nKakeyaSets } = config;
  return { dLLM, lMem, dTime, dFTime, dTopic, dFTopic, dCtx, dFCtx, nKakeyaSets };
}

/** Writes adapters to a safetensors file, atomically, with their provenance as metadata. */
export async function saveTrainedWeights(
  path: string,
  adapters: AdapterParameters<NDArray>,
  config: MemoryConfig,
  training: TrainingProvenance,
): Promise<void> {
  const tensors = Object.entries(treeToRecord<NDArray>(adapters)).map(([name, { data, shape }]) => [
    name,
    { data: Float32Array.from(data), shape, dtype: 'F32' } satisfies SafeTensor,
  ]);
  await writeSafetensors(path, Object.fromEntries(tensors), {
    provenance: training.provenance,
    cfgSummary: JSON.stringify(configSummary(config)),
    training: JSON.stringify({ ...training, nTrainable: tensors.length }),
  });
}

/**
 * Reads adapters into the structure of those that are there.
 * @throws InputError for a file that is missing, torn, of another provenance, or (unless `strict` is false) that does not fit, with the
 *   list of what does not.
 */
export async function loadTrainedWeights(
  path: string,
  current: AdapterParameters<NDArray>,
  options: LoadWeightsOptions = {},
): Promise<LoadedWeights> {
  const { tensors, metadata } = await readSafetensors(path);
  const provenance = metadata.provenance ?? '';
  if (options.provenance !== undefined && options.provenance !== provenance) {
    throw new InputError(
      `${path} comes from '${provenance}' and not from '${options.provenance}'; give the right file.`,
    );
  }
  const problems: string[] = [];
  let loaded = 0;
  const adapters = treeMap<NDArray, NDArray, AdapterParameters<NDArray>>(current, (leaf, name) => {
    const found = tensors.get(name);
    if (found && found.shape.join() === leaf.shape.join()) {
      loaded += 1;
      return ndarray(Float32Array.from(found.data as Float32Array), leaf.shape);
    }
    problems.push(
      found
        ? `'${name}' has the shape ${formatShape(found.shape)} and not ${formatShape(leaf.shape)}`
        : `'${name}' is missing`,
    );
    return leaf;
  });
  const shapeErrs = problems.length;
  const known = treeToRecord<NDArray>(current);
  const unexpected = [...tensors.keys()].filter((name) => !(name in known));
  problems.push(...unexpected.map((name) => `'${name}' is no parameter`));
  if (problems.length > 0 && options.strict !== false) {
    throw new InputError(`${path} does not fit this memory: ${problems.join('; ')}.`);
  }
  return { adapters, stats: { loaded, skipped: unexpected.length, shapeErrs, provenance, path } };
}
