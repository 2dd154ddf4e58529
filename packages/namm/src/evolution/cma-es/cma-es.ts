import { InputError, Rng } from '@palimpsest/base';
import { type Bounds, boundsOf, clip, type ParameterBounds } from './bounds.js';
import { type CmaEsState, checkState } from './cma-es-state.js';
import { type Covariance, createCovariance } from './covariance.js';
import type { MatrixRoot, RootMethod } from './matrix-root.js';
import { type Rows, rowOf, rows, squaredNorm, weightedSum } from './rows.js';
import {
  type CovarianceKind,
  checkSizes,
  type LearningRates,
  type Strategy,
  strategyOf,
} from './strategy.js';

export interface CmaEsOptions {
  /** Numbers that are searched, n. */
  readonly paramSize: number;
  /** Members of a generation. Default 32. */
  readonly popSize?: number;
  /** Share of a generation that moves the mean. Default 0.5. */
  readonly eliteRatio?: number;
  /** First step size. Default 0.065. */
  readonly initSigma?: number;
  /** First mean `[n]`. Default 0. */
  readonly mean?: ArrayLike<number> | undefined;
  /** Default: 'full' up to 400 parameters, above that 'diagonal'. */
  readonly covariance?: CovarianceKind | undefined;
  /** How the root of a full covariance is computed. Default 'auto'. */
  readonly root?: RootMethod;
  /** Learning rate of the mean. Default 1. */
  readonly cM?: number;
  readonly rates?: Partial<LearningRates>;
  /** Where parameters may lie. Members are clipped before they are judged. Default: everywhere. */
  readonly bounds?: ParameterBounds;
  /** `best` is the mean rather than the best member. Default true. */
  readonly preferMeanToBest?: boolean;
  /** The first generation is drawn from C + 1e-6 in every entry, as the reference does. Default: with `parity`. */
  readonly shiftFirstGen?: boolean;
  /** Recombination weights as the reference has them at elite ratios other than 0.5. Default false. */
  readonly parity?: boolean;
  /** Default 0. */
  readonly seed?: number;
}

/** Figures of a search. */
export interface CmaEsStats {
  readonly stepSize: number;
  /** Square roots of the eigenvalues of C; of a large full covariance the ends of its spectrum alone are known. */
  readonly deviations: { readonly least: number; readonly largest: number };
  readonly mean: {
    readonly mean: number;
    readonly deviation: number;
    readonly least: number;
    readonly largest: number;
  };
}

const FIRST_SHIFT = 1e-6;
/** From this size on a full covariance would fill gigabytes. */
const MOST_FULL = 400;

/**
 * Covariance matrix adaptation (Hansen and Ostermeier, 2001; Hansen, 2016), which maximises a function known by its values
 * alone: `ask` for a population, judge it, `tell` its fitness. Everything is float64 and drawn from one seeded stream.
 */
export class CmaEs {
  readonly paramSize: number;
  readonly popSize: number;
  readonly kind: CovarianceKind;
  readonly strategy: Strategy;
  readonly #bounds: Bounds | undefined;
  readonly #preferMean: boolean;
  readonly #covariance: Covariance;
  readonly #mean: Float64Array;
  readonly #pathC: Float64Array;
  readonly #pathSigma: Float64Array;
  readonly #rng: Rng;
  #generation = 0;
  #sigma: number;
  #best: { readonly fitness: number; readonly member: Float64Array } | undefined;
  #deviations: Rows | undefined;

  /**
   * @param state continues a search with the same options
   * @throws InputError for options that make no search, or a state of another one.
   */
  constructor(options: CmaEsOptions, state?: CmaEsState) {
    const {
      paramSize: n,
      popSize = 32,
      eliteRatio = 0.5,
      initSigma = 0.065,
      cM = 1,
      parity = false,
    } = options;
    this.kind = options.covariance ?? (n <= MOST_FULL ? 'full' : 'diagonal');
    const strategyOptions = { paramSize: n, popSize, eliteRatio, covariance: this.kind, cM, parity };
    checkSizes({ ...strategyOptions, rates: {} });
    if (!(initSigma > 0 && Number.isFinite(initSigma))) {
      throw new InputError(`The first step size is above 0, but initSigma is ${initSigma}.`);
    }
    this.strategy = strategyOf({ ...strategyOptions, rates: options.rates ?? {} });
    this.paramSize = n;
    this.popSize = popSize;
    this.#preferMean = options.preferMeanToBest ?? true;
    this.#bounds = options.bounds && boundsOf(options.bounds, n);
    if (state) checkState(state, n, popSize, this.kind);
    this.#mean = state ? Float64Array.from(state.mean) : firstMean(options.mean, n);
    this.#sigma = state?.sigma ?? initSigma;
    this.#pathC = Float64Array.from(state?.pathC ?? new Float64Array(n));
    this.#pathSigma = Float64Array.from(state?.pathSigma ?? new Float64Array(n));
    this.#generation = state?.generation ?? 0;
    this.#rng = state ? Rng.fromState(state.rng) : Rng.fromSeed(options.seed ?? 0);
    if (state && state.bestMember.length > 0) {
      this.#best = { fitness: state.bestFitness, member: Float64Array.from(state.bestMember) };
    }
    const isShifted = options.shiftFirstGen ?? parity;
    this.#covariance = createCovariance({
      kind: this.kind,
      size: n,
      strategy: this.strategy,
      method: options.root ?? 'auto',
      shift: () => (isShifted && this.#generation === 0 ? FIRST_SHIFT : 0),
      values: state?.covariance,
    });
    if (state && state.deviations.length > 0) {
      this.#deviations = rows(popSize, n, Float64Array.from(state.deviations));
    }
    if (this.#bounds) clip(this.#mean, this.#bounds);
  }

  /** Generations told. */
  get generation(): number {
    return this.#generation;
  }

  get sigma(): number {
    return this.#sigma;
  }

  /** A copy `[n]`. */
  get mean(): Float64Array {
    return Float64Array.from(this.#mean);
  }

  /** The best member of all generations, and its fitness; nothing before the first. */
  get bestMember(): { readonly fitness: number; readonly member: Float64Array } | undefined {
    return this.#best;
  }

  /** What the search stands for: its mean, or the best member where that is preferred. A copy `[n]`. */
  get best(): Float64Array {
    return Float64Array.from((this.#preferMean ? undefined : this.#best?.member) ?? this.#mean);
  }

  /**
   * The members that are to be judged, `[popSize][n]`. Asked again before `tell` it gives the same ones, so that a search
   * that was stopped in between goes on.
   * @param normals standard normal numbers `[popSize, n]` in place of drawn ones
   */
  ask(normals?: ArrayLike<number>): Float64Array[] {
    const isGiven = normals !== undefined;
    if (isGiven) this.#checkPopulation(normals);
    if (isGiven || !this.#deviations) {
      const z = isGiven ? Float64Array.from(normals) : this.#draw(this.popSize, this.#rng);
      this.#deviations = this.#covariance.sampled().root(rows(this.popSize, this.paramSize, z));
    }
    return this.#members(this.#deviations!, this.#sigma);
  }

  /** Judges deviations y `[popSize, n]` from elsewhere: members are mean + sigma y. */
  propose(deviations: ArrayLike<number>): Float64Array[] {
    this.#checkPopulation(deviations);
    this.#deviations = rows(this.popSize, this.paramSize, Float64Array.from(deviations));
    return this.#members(this.#deviations, this.#sigma);
  }

  /**
   * Learns from the fitness of the members that were asked for. Equal ones rank by their place, the earlier first;
   * -Infinity ranks last.
   * @throws InputError without a population, for another count, or for a fitness that cannot be ranked.
   */
  tell(fitness: ArrayLike<number>): void {
    const deviations = this.#deviations;
    if (!deviations) throw new InputError('There is no population to be told about; call ask() first.');
    this.#checkFitness(fitness);
    const order = Array.from({ length: this.popSize }, (_, i) => i).sort(
      (a, b) => (fitness[a] === fitness[b] ? 0 : fitness[b]! - fitness[a]!) || a - b,
    );
    this.#remember(order[0]!, fitness[order[0]!]!);
    const { cSigma, dSigma, cC, muEff, expectedNorm, weightsTruncated } = this.strategy;
    const n = this.paramSize;
    const step = this.#move(weightedSum(weightsTruncated, deviations, order));
    const whitened = rowOf(this.#covariance.sampled().inverseRoot(rows(1, n, step)), 0);
    const pathGain = Math.sqrt(cSigma * (2 - cSigma) * muEff);
    for (let j = 0; j < n; j++) {
      this.#pathSigma[j] = (1 - cSigma) * this.#pathSigma[j]! + pathGain * whitened[j]!;
    }
    const length = Math.sqrt(squaredNorm(this.#pathSigma));
    const started = Math.sqrt(1 - (1 - cSigma) ** (2 * (this.#generation + 1)));
    const moves = length / started < (1.4 + 2 / (n + 1)) * expectedNorm ? 1 : 0;
    const gain = moves * Math.sqrt(cC * (2 - cC) * muEff);
    for (let j = 0; j < n; j++) this.#pathC[j] = (1 - cC) * this.#pathC[j]! + gain * step[j]!;
    this.#covariance.update({ deviations, order, path: this.#pathC, moves });
    this.#sigma *= Math.exp((cSigma / dSigma) * (length / expectedNorm - 1));
    this.#generation += 1;
    this.#deviations = undefined;
  }

  /**
   * Further members of the present distribution, which the search does not learn from: `[count][n]`. Repeated between two
   * generations it gives the same ones.
   * @param temperature factor on their distance to the mean. Default 1
   */
  sampleCandidates(count: number, temperature = 1): Float64Array[] {
    const z = rows(count, this.paramSize, this.#draw(count, this.#rng.fork('candidates')));
    return this.#members(this.#covariance.sampled().root(z), temperature * this.#sigma);
  }

  stats(): CmaEsStats {
    const { deviations } = this.#covariance.sampled();
    const average = this.#mean.reduce((sum, value) => sum + value, 0) / this.paramSize;
    const variance = this.#mean.reduce((sum, value) => sum + (value - average) ** 2, 0) / this.paramSize;
    return {
      stepSize: this.#sigma,
      deviations: endsOf(deviations),
      mean: { mean: average, deviation: Math.sqrt(variance), ...endsOf(this.#mean) },
    };
  }

  /** A copy of everything that `new CmaEs(options, state)` goes on from. */
  state(): CmaEsState {
    return {
      generation: this.#generation,
      sigma: this.#sigma,
      mean: Float64Array.from(this.#mean),
      covariance: Float64Array.from(this.#covariance.values),
      pathC: Float64Array.from(this.#pathC),
      pathSigma: Float64Array.from(this.#pathSigma),
      bestFitness: this.#best?.fitness ?? Number.NEGATIVE_INFINITY,
      bestMember: Float64Array.from(this.#best?.member ?? []),
      rng: this.#rng.state(),
      deviations: Float64Array.from(this.#deviations?.data ?? []),
    };
  }

  /** What a generation is drawn with: C^{±1/2}. */
  root(): MatrixRoot {
    return this.#covariance.sampled();
  }

  /**
   * Moves the mean along y and gives the y that it went: less where a bound stopped it. Paths that counted the rest would
   * take a mean that leans against its bound for one on its way, and the step size would grow without end.
   */
  #move(direction: Float64Array): Float64Array {
    const { cM } = this.strategy;
    const before = Float64Array.from(this.#mean);
    for (let j = 0; j < direction.length; j++) this.#mean[j]! += cM * this.#sigma * direction[j]!;
    if (!this.#bounds) return direction;
    const aimed = Float64Array.from(this.#mean);
    clip(this.#mean, this.#bounds);
    return direction.map((y, j) =>
      aimed[j] === this.#mean[j] ? y : (this.#mean[j]! - before[j]!) / (cM * this.#sigma),
    );
  }

  #draw(count: number, rng: Rng): Float64Array {
    return Float64Array.from({ length: count * this.paramSize }, () => rng.normal());
  }

  #members(deviations: Rows, scale: number): Float64Array[] {
    return Array.from({ length: deviations.count }, (_, index) => {
      const member = rowOf(deviations, index).map((value, j) => this.#mean[j]! + scale * value);
      if (this.#bounds) clip(member, this.#bounds);
      return member;
    });
  }

  #remember(member: number, fitness: number): void {
    if (this.#best && !(fitness > this.#best.fitness)) return;
    this.#best = { fitness, member: this.#members(this.#deviations!, this.#sigma)[member]! };
  }

  #checkPopulation(values: ArrayLike<number>): void {
    if (values.length === this.popSize * this.paramSize) return;
    throw new InputError(
      `A population of ${this.popSize} members with ${this.paramSize} parameters has ${this.popSize * this.paramSize} numbers, but ${values.length} were given.`,
    );
  }

  #checkFitness(fitness: ArrayLike<number>): void {
    if (fitness.length !== this.popSize) {
      throw new InputError(
        `A fitness is needed for each of the ${this.popSize} members, but ${fitness.length} were given.`,
      );
    }
    const broken = Array.from(fitness).findIndex((value) => Number.isNaN(value) || value === Infinity);
    if (broken >= 0) {
      throw new InputError(
        `Member ${broken} has the fitness ${fitness[broken]}, which cannot be ranked; give -Infinity to one that failed.`,
      );
    }
  }
}

function endsOf(values: Float64Array): { least: number; largest: number } {
  return {
    least: values.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY),
    largest: values.reduce((largest, value) => Math.max(largest, value), Number.NEGATIVE_INFINITY),
  };
}

function firstMean(given: ArrayLike<number> | undefined, n: number): Float64Array {
  const mean = Float64Array.from(given ?? new Float64Array(n));
  if (mean.length !== n) {
    throw new InputError(`A first mean of ${n} numbers is needed, but ${mean.length} were given.`);
  }
  if (!mean.every(Number.isFinite)) throw new InputError('The first mean holds numbers that are not finite.');
  return mean;
}
