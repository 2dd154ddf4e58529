import {
  canonicalJson,
  InputError,
  parseJson,
  readSafetensors,
  type SafeTensor,
  type SafeTensors,
  writeSafetensors,
} from '@palimpsest/base';
import { spectrumWidth } from '../check-config.js';
import { type NAMMConfig, type NAMMOptions, resolveNAMMConfig } from '../config.js';
import { checkStatistics } from '../features/statistics.js';
import { scorerSize } from '../scorer/layout.js';
import type { Statistics } from './trial.js';

/** A policy by itself: no model, no search. */
export interface EvolvedPolicy {
  readonly config: NAMMConfig;
  /** Flat vector in the layout of the configuration. */
  readonly parameters: Float32Array;
  /** What features are normalised by: one pair of moments, or one for each layer. */
  readonly statistics?: Statistics | undefined;
}

const FORMAT = 'palimpsest-namm-policy';

/** Buffers of the published program; rows are layers, or one for all. */
const BUFFERS = { mean: 'output_mean', variance: 'output_var', count: 'output_num' } as const;

/** Tensors of a policy. */
export function policyTensors({ parameters, statistics }: EvolvedPolicy): Record<string, SafeTensor> {
  const tensors: Record<string, SafeTensor> = {
    parameters: { dtype: 'F32', shape: [parameters.length], data: parameters },
  };
  if (!statistics || statistics.length === 0) return tensors;
  const rows = statistics.length;
  const width = statistics[0]!.mean.length;
  const stacked = (key: 'mean' | 'variance') => Float32Array.from(statistics.flatMap((row) => [...row[key]]));
  return {
    ...tensors,
    [BUFFERS.mean]: { dtype: 'F32', shape: [rows, width], data: stacked('mean') },
    [BUFFERS.variance]: { dtype: 'F32', shape: [rows, width], data: stacked('variance') },
    [BUFFERS.count]: {
      dtype: 'F64',
      shape: [rows],
      data: Float64Array.from(statistics, ({ count }) => count),
    },
  };
}

/** What a file says about a policy beside its tensors. */
export const policyMetadata = ({ config }: EvolvedPolicy): Record<string, string> => ({
  format: FORMAT,
  version: '1',
  config: canonicalJson(config),
});

/** Writes a policy alone: parameters, statistics, configuration. The published size takes 17 kB. */
export async function savePolicy(path: string, policy: EvolvedPolicy): Promise<void> {
  await writeSafetensors(path, policyTensors(policy), policyMetadata(policy));
}

/** Reads a policy, also out of an evolution's checkpoint. @throws InputError naming the file when there is none. */
export async function loadPolicy(path: string): Promise<EvolvedPolicy> {
  return policyOf(await readSafetensors(path), path);
}

/** The policy in a file. @throws InputError naming the file. */
export function policyOf({ tensors, metadata }: SafeTensors, path: string): EvolvedPolicy {
  const parameters = tensors.get('parameters')?.data;
  if (metadata.config === undefined || !(parameters instanceof Float32Array)) {
    throw new InputError(
      `${path} holds no policy: parameters in float32 and their configuration are expected.`,
    );
  }
  const config = resolveNAMMConfig(parseJson(metadata.config, `${path}: config`) as NAMMOptions);
  checkParameters(config, parameters, path);
  const statistics = statisticsOf(tensors, path);
  if (statistics) naming(path, () => checkStatistics(statistics, spectrumWidth(config)));
  return { config, parameters, statistics };
}

/** How many layers and heads have parameters of their own is known to the model alone. */
function checkParameters(config: NAMMConfig, parameters: Float32Array, path: string): void {
  const size = scorerSize(config);
  const count = parameters.length;
  const fits = config.paramSharing === 'shared' ? count === size : count > 0 && count % size === 0;
  if (!fits) {
    throw new InputError(
      `${path} is damaged: its policy has ${size} parameters${config.paramSharing === 'shared' ? '' : ' or a multiple'}, but ${count} are there.`,
    );
  }
  if (parameters.every(Number.isFinite)) return;
  throw new InputError(`${path} is damaged: a parameter is no finite number.`);
}

/** A check of what a file holds, whose refusal names the file. */
function naming(path: string, check: () => void): void {
  try {
    check();
  } catch (error) {
    throw error instanceof InputError ? new InputError(`${path} is damaged: ${error.message}`) : error;
  }
}

function statisticsOf(tensors: SafeTensors['tensors'], path: string): Statistics | undefined {
  const [mean, variance, count] = [BUFFERS.mean, BUFFERS.variance, BUFFERS.count].map((name) =>
    tensors.get(name),
  );
  if (!mean && !variance && !count) return undefined;
  const rows = count?.data.length ?? 0;
  const width = (mean?.data.length ?? 0) / rows;
  const isWhole =
    mean?.data instanceof Float32Array &&
    variance?.data instanceof Float32Array &&
    count?.data instanceof Float64Array &&
    mean.data.length === variance.data.length &&
    Number.isInteger(width);
  if (!isWhole) throw new InputError(`${path} is damaged: its statistics do not fit together.`);
  const [means, variances, counts] = [
    mean.data as Float32Array,
    variance.data as Float32Array,
    count.data as Float64Array,
  ];
  return Array.from({ length: rows }, (_, row) => ({
    mean: means.slice(row * width, (row + 1) * width),
    variance: variances.slice(row * width, (row + 1) * width),
    count: counts[row]!,
  }));
}
