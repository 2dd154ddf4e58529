import { InputError } from '@palimpsest/base';

/** Which directions of the search space have learning rates of their own. */
export type CovarianceKind = 'full' | 'diagonal' | 'isotropic';

/** Learning rates that replace the computed ones. */
export interface LearningRates {
  /** Of the rank-one update of the covariance. */
  readonly c1: number;
  /** Of the rank-mu update of the covariance. */
  readonly cMu: number;
  /** Of the path of the step size. */
  readonly cSigma: number;
  /** Damping of the step size. */
  readonly dSigma: number;
  /** Of the path of the covariance. */
  readonly cC: number;
}

/** Constants of one search, which depend on the number of parameters and on the population alone. */
export interface Strategy extends LearningRates {
  /** How many of the best members move the mean. */
  readonly mu: number;
  /** Variance effective number of selected members. */
  readonly muEff: number;
  /** By rank, the best first: positive ones sum to 1, negative ones push the covariance away from the worst. */
  readonly weights: Float64Array;
  /** Those of `weights` that move the mean, the others 0. */
  readonly weightsTruncated: Float64Array;
  /** Learning rate of the mean. */
  readonly cM: number;
  /** E|N(0, I)|, to which the length of the step-size path is compared. */
  readonly expectedNorm: number;
}

export interface StrategyOptions {
  readonly paramSize: number;
  readonly popSize: number;
  readonly eliteRatio: number;
  readonly covariance: CovarianceKind;
  readonly cM: number;
  readonly rates: Partial<LearningRates>;
  /** Weights as the reference has them: normalised over all positive ranks, whatever the elite ratio. */
  readonly parity: boolean;
}

/** Above this many parameters the reference computes its learning rates as if there were no more. */
const MOST_COUNTED = 40_000;

/** Constants of a search: Hansen (2016), "The CMA evolution strategy: a tutorial"; DERIVATION.md, "CMA-ES". */
export function strategyOf(options: StrategyOptions): Strategy {
  const { paramSize: n, popSize, eliteRatio, parity } = options;
  const logs = Float64Array.from(
    { length: popSize },
    (_, i) => Math.log((popSize + 1) / 2) - Math.log(i + 1),
  );
  const positives = logs.filter((weight) => weight > 0).length;
  const asked = Math.max(1, Math.floor(popSize * eliteRatio));
  // A member that counts against its neighbourhood does not belong into the mean.
  const mu = parity ? asked : Math.min(asked, positives);
  const muEff = effective(logs.subarray(0, mu));
  const rates = learningRates(n, muEff, options);
  const weights = recombinationWeights(logs, mu, rates, n, parity);
  return {
    ...rates,
    mu,
    muEff,
    weights,
    weightsTruncated: weights.map((weight, rank) => (rank < mu ? weight : 0)),
    cM: options.cM,
    expectedNorm: Math.sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * Math.min(n, MOST_COUNTED) ** 2)),
  };
}

/** (sum w)² / sum w². */
function effective(weights: Float64Array): number {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const squares = weights.reduce((total, weight) => total + weight * weight, 0);
  return squares === 0 ? 0 : (sum * sum) / squares;
}

function learningRates(n: number, muEff: number, { covariance, rates }: StrategyOptions): LearningRates {
  const m = Math.min(n, MOST_COUNTED);
  const rankOne = 2 / ((m + 1.3) ** 2 + muEff);
  const rankMu = Math.min(1 - rankOne - 1e-8, (2 * (muEff - 2 + 1 / muEff)) / ((m + 2) ** 2 + muEff));
  // A diagonal has n numbers to learn in place of n²/2, and may learn that much faster (Ros and Hansen, 2008).
  const faster = covariance === 'diagonal' ? (n + 2) / 3 : 1;
  const c1 = rates.c1 ?? Math.min(1, rankOne * faster);
  const cMu = rates.cMu ?? (faster === 1 ? rankMu : Math.min(1 - c1, rankMu * faster));
  const cSigma = rates.cSigma ?? (muEff + 2) / (n + muEff + 5);
  return {
    c1,
    cMu,
    cSigma,
    dSigma: rates.dSigma ?? 1 + 2 * Math.max(0, Math.sqrt((muEff - 1) / (n + 1)) - 1) + cSigma,
    cC: rates.cC ?? (4 + muEff / n) / (n + 4 + (2 * muEff) / n),
  };
}

function recombinationWeights(
  logs: Float64Array,
  mu: number,
  { c1, cMu }: LearningRates,
  n: number,
  parity: boolean,
): Float64Array {
  const positive = (parity ? logs : logs.subarray(0, mu)).reduce((sum, w) => sum + Math.max(w, 0), 0);
  const negative = logs.reduce((sum, w) => sum + Math.max(-w, 0), 0);
  const muEffNegative = effective(logs.subarray(mu));
  const muEff = effective(logs.subarray(0, mu));
  const alpha = Math.min(1 + c1 / cMu, 1 + (2 * muEffNegative) / (muEff + 2), (1 - c1 - cMu) / (n * cMu));
  return logs.map((weight, rank) => {
    if (weight < 0) return negative === 0 ? 0 : (alpha * weight) / negative;
    return parity || rank < mu ? weight / positive : 0;
  });
}

/** @throws InputError for sizes that make no search. */
export function checkSizes({ paramSize, popSize, eliteRatio }: StrategyOptions): void {
  if (!Number.isInteger(paramSize) || paramSize < 1) {
    throw new InputError(`A search needs at least 1 parameter, but paramSize is ${paramSize}.`);
  }
  if (!Number.isInteger(popSize) || popSize < 2) {
    throw new InputError(
      `A population has at least 2 members, since they are ranked, but popSize is ${popSize}.`,
    );
  }
  if (!(eliteRatio > 0 && eliteRatio <= 1)) {
    throw new InputError(
      `The share of a population that moves the mean is above 0 and at most 1, but eliteRatio is ${eliteRatio}.`,
    );
  }
}
