import { formatShape, InputError, type NDArray, treeToRecord, zeros } from '@palimpsest/base';
import type { TransformerConfig } from '../config.js';
import { makeParameters, type TransformerParameters } from '../parameters.js';
import { isFloating, TensorReader } from './convert-tensor.js';
import type { WeightSource } from './weight-files.js';
import { isKnownExtra, type WeightEntry } from './weight-map.js';

/** Which tensors of a checkpoint a model takes, checked against the files. */
export interface WeightPlan {
  readonly entries: readonly WeightEntry[];
  /** One sentence per oddity that does not keep the model from working. */
  readonly warnings: readonly string[];
}

/**
 * @throws InputError for quantised weights, and with the first of the tensors that are missing or have another shape.
 */
export function planWeights(
  config: TransformerConfig,
  files: WeightSource,
  entries: readonly WeightEntry[],
): WeightPlan {
  const missing = entries.filter(({ key }) => !files.tensors.has(key)).map(({ key }) => `'${key}'`);
  if (missing.length > 0) refuseQuantised(files);
  const wrong = entries.flatMap(({ key, shape }) => {
    const tensor = files.tensors.get(key);
    if (!tensor || formatShape(tensor.shape) === formatShape(shape)) return [];
    return [`'${key}' has shape ${formatShape(tensor.shape)} instead of ${formatShape(shape)}`];
  });
  if (missing.length + wrong.length > 0) {
    const lacks = missing.length > 0 ? [`lacks ${firstOf(missing)}`] : [];
    const shapes = wrong.length > 0 ? [`has other shapes: ${firstOf(wrong)}`] : [];
    throw new InputError(
      `${files.source} does not fit ${files.described}: it ${[...lacks, ...shapes].join('; it ')}.`,
    );
  }
  const wanted = new Set(entries.map(({ key }) => key));
  const unexpected = [...files.tensors]
    .filter(([key, tensor]) => !wanted.has(key) && isFloating(tensor) && !isKnownExtra(key, config))
    .map(([key]) => `'${key}'`);
  const unused = `${files.source} has tensors that are not used: ${firstOf(unexpected)}.`;
  return { entries, warnings: [...files.warnings, ...(unexpected.length > 0 ? [unused] : [])] };
}

/** Names in a sentence are few: the rest is counted. */
const SHOWN = 5;

const firstOf = (names: readonly string[]) =>
  names.slice(0, SHOWN).join(', ') + (names.length > SHOWN ? ` and ${names.length - SHOWN} more` : '');

/** Keys that stand beside the packed weights of GPTQ, AWQ, bitsandbytes, compressed-tensors and FP8 checkpoints. */
const QUANTISED =
  /\.(qweight|qzeros|scales|SCB|absmax|quant_map|weight_packed|weight_scale|weight_scale_inv)$|\.quant_state\./;

function refuseQuantised({ tensors, source }: WeightSource): void {
  const key = [...tensors.keys()].find((name) => QUANTISED.test(name));
  if (key === undefined) return;
  throw new InputError(
    `${source} holds quantised weights, as '${key}', which are not read; use the checkpoint that they were made from.`,
  );
}

export interface LoadProgress {
  readonly done: number;
  readonly total: number;
  readonly key: string;
}

/** Reads all weights as float32. Memory holds the parameters and a few megabytes, whatever the format. */
export async function loadWeights(
  config: TransformerConfig,
  plan: WeightPlan,
  files: Pick<WeightSource, 'tensors'>,
  onProgress?: (progress: LoadProgress) => void,
): Promise<TransformerParameters<NDArray>> {
  const parameters = makeParameters<NDArray>(config, (shape) => zeros(shape));
  const reader = new TensorReader();
  const byPath = treeToRecord<NDArray>(parameters);
  const ordered = [...entriesByPath(plan).values()].flat();
  for (const [index, entry] of ordered.entries()) {
    await reader.readInto(files.tensors.get(entry.key)!, entry, byPath[entry.path]!.data as Float32Array);
    onProgress?.({ done: index + 1, total: ordered.length, key: entry.key });
  }
  return parameters;
}

/** The tensors of every parameter, in the order in which all ways of loading read them: the name of the weights depends on it. */
export function entriesByPath({ entries }: WeightPlan): Map<string, WeightEntry[]> {
  const parts = new Map<string, WeightEntry[]>();
  for (const entry of entries) parts.set(entry.path, [...(parts.get(entry.path) ?? []), entry]);
  return parts;
}
