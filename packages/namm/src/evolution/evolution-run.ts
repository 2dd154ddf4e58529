import { InputError, mean, Rng } from '@palimpsest/base';
import { mergeStatistics } from '../features/statistics.js';
import { parameterCount } from '../scorer/layout.js';
import { meanSizes } from './cache-sizes.js';
import { CmaEs } from './cma-es/cma-es.js';
import type { EvaluationEvent, GenerationEvent } from './evolution-event.js';
import type { EvolutionProgress, EvolutionState } from './evolution-file.js';
import type { EvolveOptions } from './evolve.js';
import type { TaskScores } from './fitness.js';
import { Judge, type Judgement, type Penalties } from './judge.js';
import type { EvolvedPolicy } from './policy-file.js';
import { rankScores } from './rank-scores.js';
import { drawSamples, firstSamples } from './samples.js';
import type { EvolutionSettings } from './settings.js';
import type { StagePlace } from './stage.js';
import type { Statistics } from './trial.js';

type RunOptions = Omit<EvolveOptions, 'settings'> & { readonly settings: EvolutionSettings };

/** An evolution in memory: what it found so far, and how it goes on by a generation. */
export class EvolutionRun {
  readonly settings: EvolutionSettings;
  /** Numbers that are searched. */
  readonly parameters: number;
  readonly #options: RunOptions;
  readonly #search: CmaEs;
  readonly #judge: Judge;
  #progress: EvolutionProgress;
  #statistics: Statistics | undefined;
  #bestVector: Float32Array | undefined;

  /** @throws InputError when the state to go on from is of another policy. */
  constructor(options: RunOptions, stages: readonly StagePlace[]) {
    const { config, settings, resume, layers = 1, heads = 1 } = options;
    this.#options = options;
    this.settings = settings;
    this.parameters = parameterCount(config, layers, heads);
    if (resume && resume.search.mean.length !== this.parameters) {
      throw new InputError(
        `The evolution to go on with has ${resume.search.mean.length} parameters, but this policy has ${this.parameters}; give the configuration that it was started with.`,
      );
    }
    const { popSize, eliteRatio, initSigma, covariance, cM, preferMeanToBest, seed, paramClip } = settings;
    this.#search = new CmaEs(
      {
        ...{ paramSize: this.parameters, popSize, eliteRatio, initSigma, cM, preferMeanToBest, seed },
        covariance,
        mean: options.start,
        parity: config.mode === 'parityOfficial',
        ...(paramClip !== undefined && { bounds: { lower: -paramClip, upper: paramClip } }),
      },
      resume?.search,
    );
    this.#judge = new Judge(options.runner);
    this.#statistics = resume ? resume.policy.statistics : options.statistics;
    this.#progress = resume?.progress ?? {
      generation: 0,
      stage: 0,
      // Samples have a stream of their own, so that a generation's do not depend on how many numbers its members took.
      samples: [...Rng.fromSeed(settings.seed).fork('samples').state()],
      evaluatedAt: -1,
      bestFitness: null,
      stale: 0,
      sparsityCoeff: settings.sparsityCoeff,
    };
    if (stages.at(-1)!.to < this.generation && !options.evalOnly) {
      throw new InputError(
        `The evolution to go on with has ${this.generation} generations, more than the ${stages.at(-1)!.to} that were asked for.`,
      );
    }
  }

  get generation(): number {
    return this.#progress.generation;
  }

  get progress(): EvolutionProgress {
    return this.#progress;
  }

  /** Whether evaluations have stopped improving. */
  get isStale(): boolean {
    const { patience } = this.settings;
    return patience >= 0 && this.#progress.stale > patience;
  }

  /** What the search stands for. */
  get policy(): EvolvedPolicy {
    return this.#policyOf(Float32Array.from(this.#search.best));
  }

  /** What the best evaluation judged: what the search stood for then, or a candidate that was better. */
  get bestPolicy(): EvolvedPolicy {
    return this.#bestVector ? this.#policyOf(this.#bestVector) : this.policy;
  }

  #policyOf(parameters: Float32Array): EvolvedPolicy {
    return {
      config: this.#options.config,
      parameters,
      statistics: this.#statistics,
    };
  }

  state(): EvolutionState {
    const { settings, policy, progress } = this;
    return { policy, search: this.#search.state(), progress, settings, notes: this.#options.notes ?? {} };
  }

  /** Begins a stage, or comes back to one: a new one is measured by its own evaluations. */
  enter({ stage }: StagePlace): void {
    if (stage === this.#progress.stage) return;
    this.#progress = { ...this.#progress, stage, bestFitness: null, stale: 0, evaluatedAt: -1 };
    if (this.settings.statistics === 'perStage') this.#statistics = undefined;
  }

  /** Evaluations come every so often, at the beginning and at the end of a stage, and once at most at a generation. */
  isEvaluationDue({ from, to }: StagePlace): boolean {
    const { generation, evaluatedAt } = this.#progress;
    if (evaluatedAt === generation) return false;
    return generation === from || generation === to || generation % this.settings.evalInterval === 0;
  }

  /** One generation: ask, judge, tell. */
  async step(stage: StagePlace): Promise<GenerationEvent> {
    const start = performance.now();
    const { settings } = this;
    const rng = Rng.fromState(this.#progress.samples);
    const samples = drawSamples(stage.tasks, rng, settings);
    const population = this.#search.ask();
    const sparsityCoeff = this.#progress.sparsityCoeff;
    const { members, statistics } = await this.#judge.judge({
      vectors: population.map((member) => Float32Array.from(member)),
      samples,
      split: 'train',
      penalties: this.#penalties(),
      useReference: settings.useReference,
      ...this.#normalisation(stage, 'updateDuringTraining'),
      signal: this.#options.signal,
    });
    this.#absorb(statistics);
    const fitness = members.map((member) => member.fitness);
    this.#search.tell(settings.scoreProcessing === 'rank' ? rankScores(fitness) : fitness);
    const sparsity = mean(members.map((member) => member.sparsity));
    this.#progress = {
      ...this.#progress,
      generation: this.generation + 1,
      samples: [...rng.state()],
      sparsityCoeff: this.#adapted(sparsityCoeff, sparsity),
    };
    return {
      type: 'generation',
      generation: this.generation,
      stage: stage.stage,
      ...spread(fitness),
      scores: meanScores(members),
      sizes: meanSizes(members.map(({ sizes }) => sizes)),
      sparsity,
      sparsityCoeff,
      search: this.#search.stats(),
      seconds: (performance.now() - start) / 1000,
    };
  }

  /** Judges what the search stands for on samples that nothing is evolved on. */
  async evaluate(stage: StagePlace): Promise<EvaluationEvent> {
    const start = performance.now();
    const { evalCandidateSamples, evalCandidateTemp, validationSamples, useReference } = this.settings;
    const candidates = this.#search.sampleCandidates(evalCandidateSamples, evalCandidateTemp);
    const vectors = [this.#search.best, ...candidates].map((vector) => Float32Array.from(vector));
    const { members, statistics } = await this.#judge.judge({
      vectors,
      samples: firstSamples(stage.tasks, 'validation', validationSamples),
      split: 'validation',
      penalties: this.#penalties(),
      useReference,
      ...this.#normalisation(stage, 'updateDuringEval'),
      signal: this.#options.signal,
    });
    this.#absorb(statistics);
    const [own, ...others] = members as [Judgement, ...Judgement[]];
    const { bestFitness, stale } = this.#progress;
    const chosen = members.reduce((best, { fitness }, i) => (fitness > members[best]!.fitness ? i : best), 0);
    const found = members[chosen]!.fitness;
    const isBest = bestFitness === null || found > bestFitness;
    if (isBest) this.#bestVector = vectors[chosen]!;
    this.#progress = {
      ...this.#progress,
      evaluatedAt: this.generation,
      bestFitness: isBest ? found : bestFitness,
      stale: isBest ? 0 : stale + 1,
    };
    const { fitness, scores, normalised, sizes } = own;
    return {
      type: 'evaluation',
      generation: this.generation,
      ...{ fitness, scores, normalised, sizes, isBest },
      ...(others.length > 0 && { candidates: candidateFigures(others) }),
      seconds: (performance.now() - start) / 1000,
    };
  }

  #penalties(): Penalties {
    const { sparsityOver, l2Coeff } = this.settings;
    return { sparsityCoeff: this.#progress.sparsityCoeff, sparsityOver, l2Coeff };
  }

  /** Statistics as they are, and whether these trials add to them. */
  #normalisation(
    { from }: StagePlace,
    when: 'updateDuringTraining' | 'updateDuringEval',
  ): { statistics?: Statistics | undefined; collect?: boolean | undefined } {
    const { normalise } = this.#options.config;
    if (!normalise) return {};
    const since = this.settings.statistics === 'perStage' ? from : 0;
    const isFrozen = this.generation - since >= normalise.freezeAfter;
    const collect = !isFrozen && normalise[when];
    return { statistics: this.#statistics, collect };
  }

  #absorb(fresh: Statistics | undefined): void {
    if (!fresh) return;
    const former = this.#statistics;
    this.#statistics = former ? fresh.map((row, i) => mergeStatistics(former[i]!, row)) : fresh;
  }

  #adapted(coefficient: number, sparsity: number): number {
    const { sparsityTarget, adaptationRate } = this.settings;
    return sparsityTarget === undefined
      ? coefficient
      : coefficient * Math.exp(adaptationRate * (sparsity - sparsityTarget));
  }
}

function spread(values: readonly number[]): { best: number; mean: number; worst: number; deviation: number } {
  const average = mean(values);
  return {
    best: Math.max(...values),
    mean: average,
    worst: Math.min(...values),
    deviation: Math.sqrt(mean(values.map((value) => (value - average) ** 2))),
  };
}

function meanScores(members: readonly Judgement[]): TaskScores {
  const tasks = Object.keys(members[0]!.scores);
  return Object.fromEntries(tasks.map((task) => [task, mean(members.map(({ scores }) => scores[task]!))]));
}

function candidateFigures(members: readonly Judgement[]): NonNullable<EvaluationEvent['candidates']> {
  const fitness = members.map((member) => member.fitness);
  const { best, mean: average, worst, deviation } = spread(fitness);
  return { bestIndex: fitness.indexOf(best), best, mean: average, least: worst, deviation };
}
