import { InputError } from '@palimpsest/base';
import { z } from 'zod';

const count = z.int().min(1);
/** More members or candidates than that fill memory before anything is judged. */
const MOST_MEMBERS = 2 ** 16;

const shape = {
  popSize: count.min(2).max(MOST_MEMBERS).default(32).describe('members of a generation'),
  eliteRatio: z.number().gt(0).max(1).default(0.5).describe('share of a generation that moves the mean'),
  initSigma: z.number().positive().default(0.065).describe('first step size'),
  covariance: z
    .enum(['full', 'diagonal', 'isotropic'])
    .optional()
    .describe('directions that are learned; default: full up to 400 parameters, above that diagonal'),
  cM: z.number().positive().default(1).describe('learning rate of the mean'),
  paramClip: z
    .number()
    .positive()
    .optional()
    .describe('largest absolute value of a parameter; default: none'),
  scoreProcessing: z
    .enum(['none', 'rank'])
    .default('none')
    .describe('rank: scores become their ranks from -0.5 to 0.5, ties share one'),
  preferMeanToBest: z
    .boolean()
    .default(true)
    .describe('what is evaluated and kept is the mean, not the best member'),
  samplesPerTask: count
    .default(64)
    .describe('samples of each task in a generation, the same for all members'),
  taskBatchSize: count.optional().describe('tasks drawn for a generation; default: all'),
  validationSamples: count.default(32).describe('samples of each task in an evaluation'),
  maxIters: z.int().min(0).default(1000).describe('generations in all'),
  evalInterval: count.default(10).describe('generations between evaluations'),
  patience: z.int().min(-1).default(-1).describe('evaluations without improvement before the end; -1: never'),
  evalCandidateSamples: z
    .int()
    .min(0)
    .max(MOST_MEMBERS)
    .default(0)
    .describe('further draws that an evaluation compares'),
  evalCandidateTemp: z.number().positive().default(1).describe('factor on their distance to the mean'),
  useReference: z.boolean().default(true).describe('scores are divided by those of the full cache'),
  sparsityCoeff: z
    .number()
    .min(0)
    .default(0)
    .describe('weight of the number of tokens kept, against the score'),
  sparsityOver: z
    .enum(['max', 'mean'])
    .default('max')
    .describe('tokens of a layer: those of its fullest head, or the whole part of the mean over its heads'),
  l2Coeff: z.number().min(0).default(0).describe('weight of the mean squared parameter, against the score'),
  sparsityTarget: z
    .number()
    .positive()
    .optional()
    .describe('tokens kept that the weight adapts to; default: it stays'),
  adaptationRate: z
    .number()
    .positive()
    .default(0.01)
    .describe('step of the logarithm of the adapting weight'),
  statistics: z
    .enum(['frozen', 'perStage'])
    .default('frozen')
    .describe('a later stage keeps the normalisation of its start, or estimates its own'),
  checkpointEvery: count.default(1).describe('generations between checkpoints'),
  keepEvery: count.optional().describe('generations between numbered checkpoints; default: none'),
  seed: z.int().default(0).describe('seed of population, samples and candidates'),
};

/** Settings of an evolution, with their defaults and meanings. */
export const evolutionSchema: z.ZodObject<typeof shape> = z.strictObject(shape);
export type EvolutionSettings = z.output<typeof evolutionSchema>;
export type EvolutionOptions = z.input<typeof evolutionSchema>;

/** Fills defaults in. @throws InputError naming the setting that does not fit. */
export function parseEvolution(options: EvolutionOptions = {}): EvolutionSettings {
  const parsed = evolutionSchema.safeParse(options);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new InputError(
      `The setting '${issue?.path.join('.') || 'settings'}' of the evolution does not fit: ${issue?.message}.`,
    );
  }
  const { sparsityTarget, sparsityCoeff } = parsed.data;
  if (sparsityTarget !== undefined && sparsityCoeff === 0) {
    throw new InputError(
      'sparsityTarget adapts the weight sparsityCoeff, which is 0; give the weight that it shall begin with.',
    );
  }
  return parsed.data;
}
