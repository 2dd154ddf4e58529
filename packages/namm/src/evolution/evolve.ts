import { InputError, nodeModule, writeFileAtomically } from '@palimpsest/base';
import type { NAMMConfig } from '../config.js';
import type { EvaluationEvent, EvolutionEvent } from './evolution-event.js';
import { type EvolutionState, loadEvolution, saveEvolution } from './evolution-file.js';
import { EvolutionRun } from './evolution-run.js';
import { savePolicy } from './policy-file.js';
import { type EvolutionOptions, parseEvolution } from './settings.js';
import { planStages, type Stage, type StagePlace } from './stage.js';
import type { PopulationRunner, Statistics } from './trial.js';

const paths = () => nodeModule('node:path');

export interface EvolveOptions {
  /** What is evolved; `folded` parameters unless it says otherwise and they exist for it. */
  readonly config: NAMMConfig;
  /** Lets members stand their trials. It stays the caller's. */
  readonly runner: PopulationRunner;
  /** What fitness is, stage by stage. */
  readonly stages: readonly Stage[];
  readonly settings?: EvolutionOptions | undefined;
  /** First mean of a new evolution, in the layout of the configuration. Default: zeros, which forget nothing. */
  readonly start?: ArrayLike<number>;
  /**
   * First statistics of the features, such as those that a start was found with. With `normalise.freezeAfter` 0 they stay. Default:
   * none.
   */
  readonly statistics?: Statistics | undefined;
  /** Layers and key/value heads of the model, for parameters that are not shared. Default 1 and 1. */
  readonly layers?: number;
  readonly heads?: number;
  /**
   * Folder for `latest.safetensors`, `best.safetensors`, numbered ones and `eval-N.json`. Without it nothing is saved. The first checkpoint
   * is written before the first generation.
   */
  readonly folder?: string;
  /** Goes on exactly where this state was saved; `settings` given beside it override its own. */
  readonly resume?: EvolutionState | undefined;
  /** Evaluates what there is and ends, without a generation. Default false. */
  readonly evalOnly?: boolean;
  /** Stored in every checkpoint. */
  readonly notes?: Readonly<Record<string, unknown>>;
  /** Ends the evolution between two generations, or drops one that is under way: everything before it is saved. */
  readonly signal?: AbortSignal | undefined;
}

/** Names of the files in the folder of an evolution. */
export const EVOLUTION_FILES = { latest: 'latest.safetensors', best: 'best.safetensors' } as const;

/**
 * Evolves the parameters of a policy by CMA-ES and tells what happens: one event per generation, evaluation and checkpoint,
 * a last one with the parameters. The same seed gives the same numbers, stopped and resumed or not, whoever runs the
 * members. Stopping to listen (`break`) ends without saving; the signal ends with saving.
 * @throws InputError for settings that do not fit, or a state of another policy.
 */
export async function* evolveNamm(options: EvolveOptions): AsyncGenerator<EvolutionEvent, void, undefined> {
  const { resume, folder, evalOnly = false, signal } = options;
  const settings = resume
    ? parseEvolution({ ...resume.settings, ...options.settings })
    : parseEvolution(options.settings);
  const stages = planStages(options.stages, settings.maxIters);
  const run = new EvolutionRun({ ...options, settings }, stages);
  const saver = new Saver(run, folder);
  const generations = stages.at(-1)!.to;
  yield {
    type: 'start',
    parameters: run.parameters,
    generation: run.generation,
    generations,
    settings,
  };
  if (folder !== undefined) await nodeModule('node:fs').promises.mkdir(folder, { recursive: true });
  if (!evalOnly) yield* saver.save('latest');
  for (const stage of stages) {
    const isOver = run.generation >= stage.to && !(evalOnly && stage === stages.at(-1));
    if (isOver) continue;
    yield* stageEvents(run, saver, stage, evalOnly, signal);
    if (evalOnly || run.isStale || signal?.aborted) break;
  }
  if (!evalOnly) yield* saver.save('latest');
  const type = signal?.aborted
    ? 'interrupted'
    : run.isStale && run.generation < generations
      ? 'early'
      : 'end';
  const { bestFitness } = run.progress;
  yield {
    type,
    generation: run.generation,
    parameters: run.policy.parameters,
    ...(bestFitness !== null && { bestFitness }),
  };
}

async function* stageEvents(
  run: EvolutionRun,
  saver: Saver,
  stage: StagePlace,
  evalOnly: boolean,
  signal: AbortSignal | undefined,
): AsyncGenerator<EvolutionEvent, void, undefined> {
  run.enter(stage);
  yield {
    type: 'stage',
    generation: run.generation,
    stage: stage.stage,
    tasks: stage.tasks.map(({ name }) => name),
  };
  const interrupted = () => signal?.aborted ?? false;
  const evaluate = async function* (): AsyncGenerator<EvolutionEvent, void, undefined> {
    const event = await whileRunning(() => run.evaluate(stage), interrupted);
    if (!event) return;
    yield event;
    await saver.report(event);
    if (evalOnly) return;
    if (event.isBest) yield* saver.save('best');
    yield* saver.save('latest');
  };
  while (!interrupted()) {
    const isLast = run.generation >= stage.to;
    if (evalOnly || run.isEvaluationDue(stage)) yield* evaluate();
    if (evalOnly || isLast || run.isStale || interrupted()) return;
    const event = await whileRunning(() => run.step(stage), interrupted);
    if (!event) return;
    yield event;
    yield* saver.afterGeneration();
  }
}

/** The result, or nothing when the work was given up because of the signal. */
async function whileRunning<T>(work: () => Promise<T>, interrupted: () => boolean): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (interrupted()) return undefined;
    throw error;
  }
}

/** Writes checkpoints when they are due. */
class Saver {
  readonly #run: EvolutionRun;
  readonly #folder: string | undefined;

  constructor(run: EvolutionRun, folder: string | undefined) {
    this.#run = run;
    this.#folder = folder;
  }

  async *afterGeneration(): AsyncGenerator<EvolutionEvent, void, undefined> {
    const { generation, settings } = this.#run;
    if (generation % settings.checkpointEvery === 0) yield* this.save('latest');
    if (settings.keepEvery !== undefined && generation % settings.keepEvery === 0)
      yield* this.save('numbered');
  }

  /** The figures of an evaluation, for other programs. */
  async report(event: EvaluationEvent): Promise<void> {
    if (this.#folder === undefined) return;
    await writeFileAtomically(
      paths().join(this.#folder, `eval-${event.generation}.json`),
      `${JSON.stringify(event, null, 2)}\n`,
    );
  }

  async *save(kind: 'latest' | 'best' | 'numbered'): AsyncGenerator<EvolutionEvent, void, undefined> {
    if (this.#folder === undefined) return;
    const { generation } = this.#run;
    const name = kind === 'numbered' ? `generation-${generation}.safetensors` : EVOLUTION_FILES[kind];
    const path = paths().join(this.#folder, name);
    if (kind === 'best') await savePolicy(path, this.#run.bestPolicy);
    else await saveEvolution(path, this.#run.state());
    yield { type: 'checkpoint', generation, kind, path };
  }
}

/** The latest state in the folder of an evolution. @throws InputError when there is none. */
export async function loadLatest(folder: string): Promise<EvolutionState> {
  const path = paths().join(folder, EVOLUTION_FILES.latest);
  try {
    return await loadEvolution(path);
  } catch (error) {
    if (error instanceof InputError && error.message.startsWith('There is no file')) {
      throw new InputError(`'${folder}' holds no evolution: there is no ${EVOLUTION_FILES.latest} in it.`);
    }
    throw error;
  }
}
