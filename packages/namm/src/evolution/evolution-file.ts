import {
  canonicalJson,
  InputError,
  parseJson,
  Rng,
  readSafetensors,
  type SafeTensor,
  type SafeTensors,
  writeSafetensors,
} from '@palimpsest/base';
import { z } from 'zod';
import type { CmaEsState } from './cma-es/cma-es-state.js';
import { type EvolvedPolicy, policyMetadata, policyOf, policyTensors } from './policy-file.js';
import { type EvolutionSettings, evolutionSchema } from './settings.js';

const FORMAT = 'palimpsest-namm-evolution';
const VERSION = 1;

const progressSchema = z.strictObject({
  /** Generations done. */
  generation: z.int().min(0),
  stage: z.int().min(0),
  /** Random numbers that samples are drawn with. */
  samples: z.array(z.int()).length(4),
  /** Generation of the last evaluation, -1 for none. */
  evaluatedAt: z.int().min(-1),
  /** Fitness of the best evaluation of this stage; null for none. */
  bestFitness: z.number().nullable(),
  /** Evaluations since then. */
  stale: z.int().min(0),
  sparsityCoeff: z.number().min(0),
});

/** Where an evolution stands, besides its search. */
export type EvolutionProgress = z.output<typeof progressSchema>;

/** An evolution between two generations, complete. */
export interface EvolutionState {
  /** What the search stands for, with its statistics. */
  readonly policy: EvolvedPolicy;
  readonly search: CmaEsState;
  readonly progress: EvolutionProgress;
  readonly settings: EvolutionSettings;
  /** What the caller wants to find again. */
  readonly notes: Readonly<Record<string, unknown>>;
}

/** Tensors of the search, under the names that the published program gives them. */
const SEARCH = {
  mean: 'mean',
  covariance: 'C',
  pathC: 'evo_path_c',
  pathSigma: 'evo_path_sigma',
  bestMember: 'best_member',
  deviations: 'y',
} as const;
const PREFIX = 'evolution_state.';

/**
 * Writes an evolution as one file: killed at any moment, the former or the new one is there.
 * @throws InputError when it cannot be written.
 */
export async function saveEvolution(path: string, state: EvolutionState): Promise<void> {
  const { search, policy, progress, settings, notes } = state;
  const tensors: Record<string, SafeTensor> = { ...policyTensors(policy) };
  for (const [key, name] of Object.entries(SEARCH) as [keyof typeof SEARCH, string][]) {
    const data = search[key];
    tensors[PREFIX + name] = { dtype: 'F64', shape: [data.length], data };
  }
  // JSON has no infinity.
  const bestFitness = Number.isFinite(search.bestFitness) ? search.bestFitness : null;
  const { generation, sigma, rng } = search;
  await writeSafetensors(path, tensors, {
    ...policyMetadata(policy),
    format: FORMAT,
    version: String(VERSION),
    search: canonicalJson({ generation, sigma, rng: [...rng], bestFitness }),
    progress: canonicalJson(progress),
    settings: canonicalJson(settings),
    notes: canonicalJson(notes),
  });
}

const searchSchema = z.strictObject({
  generation: z.int().min(0),
  sigma: z.number().positive(),
  rng: z.array(z.int()).length(4),
  bestFitness: z.number().nullable(),
});

/** Reads what `saveEvolution` wrote. @throws InputError naming the file when it is missing, torn or foreign. */
export async function loadEvolution(path: string): Promise<EvolutionState> {
  const file = await readSafetensors(path);
  const { metadata } = file;
  if (metadata.format !== FORMAT) {
    throw new InputError(
      `${path} is no evolution of this program: its format is '${metadata.format ?? 'not stated'}'.`,
    );
  }
  if (metadata.version !== String(VERSION)) {
    throw new InputError(
      `${path} was written by another version of this program: its format is ${metadata.version}, this one reads ${VERSION}.`,
    );
  }
  const part = <T extends z.ZodType>(name: string, schema: T): z.output<T> => {
    const parsed = schema.safeParse(parseJson(metadata[name] ?? 'null', `${path}: ${name}`));
    if (parsed.success) return parsed.data;
    throw new InputError(`${path} is damaged: its ${name} cannot be read.`);
  };
  const { bestFitness, ...search } = part('search', searchSchema);
  const progress = part('progress', progressSchema);
  // Refused here, and not where the next samples are drawn.
  Rng.fromState(progress.samples);
  return {
    policy: policyOf(file, path),
    search: {
      ...search,
      rng: search.rng,
      bestFitness: bestFitness ?? Number.NEGATIVE_INFINITY,
      ...searchTensors(file, path),
    },
    progress,
    settings: part('settings', evolutionSchema),
    notes: part('notes', z.record(z.string(), z.unknown())),
  };
}

function searchTensors({ tensors }: SafeTensors, path: string): Record<keyof typeof SEARCH, Float64Array> {
  const read = (name: string): Float64Array => {
    const data = tensors.get(PREFIX + name)?.data;
    if (data instanceof Float64Array) return data;
    throw new InputError(`${path} is damaged: the search has no '${name}' in float64.`);
  };
  return {
    mean: read(SEARCH.mean),
    covariance: read(SEARCH.covariance),
    pathC: read(SEARCH.pathC),
    pathSigma: read(SEARCH.pathSigma),
    bestMember: read(SEARCH.bestMember),
    deviations: read(SEARCH.deviations),
  };
}
