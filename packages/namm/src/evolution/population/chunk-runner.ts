import { createTransformer, type Transformer, type TransformerParameters } from '@palimpsest/backbone';
import { disposeTree, type Engine, type NDArray, type ToDevice } from '@palimpsest/tensor-core';
import type { NAMMConfig } from '../../config.js';
import { ManagedGraphs } from '../../managed/graphs.js';
import { ManagedTexts, type UpdateReport } from '../../managed/managed-texts.js';
import { checkSchedule, type Schedule } from '../../managed/schedule.js';
import { fullPolicy } from '../../policy/full.js';
import type { Statistics, Trial, TrialOutcome } from '../trial.js';
import { type ChunkOrder, type ChunkResult, mergeAll } from './chunk.js';
import { type EvolvingPolicy, evolvingPolicy, momentsOfTexts } from './evolving-policy.js';
import type { PopulationModel } from './population-model.js';
import { repeatState } from './repeat-state.js';
import { stackedIds } from './stacked-ids.js';
import { scoreTargets, writeAnswers } from './trial-ends.js';

/** Graphs of one kind of reading, and how its policy gets the members of a batch. */
interface Reading {
  readonly graphs: ManagedGraphs;
  readonly evolving?: EvolvingPolicy | undefined;
}

type Kind = 'full' | 'evolving' | 'collecting';

const COARSE = 256;

/** Slots are multiples of an interval, and the same for all layers, so that few graphs are made whatever members keep. */
const coarseExtents = (updateInterval: number) => (kept: readonly number[]) => {
  const step = Math.min(COARSE, updateInterval);
  const slots = Math.max(1, Math.ceil(Math.max(...kept) / step)) * step;
  return kept.map(() => slots);
};

/** Runs chunks of a model one after the other; graphs are kept between them. */
export class ChunkRunner {
  readonly #engine: Engine;
  readonly #model: PopulationModel;
  readonly #transformer: Transformer;
  readonly #schedule: Schedule;
  readonly #params: ToDevice<TransformerParameters>;
  readonly #readings = new Map<Kind, Reading>();

  /** @param engine stays the caller's */
  constructor(engine: Engine, model: PopulationModel) {
    const { updateInterval, maxTokensPerForward } = model.config;
    this.#engine = engine;
    this.#model = model;
    this.#transformer = createTransformer({ ...model.transformer, evictable: true, capacity: 1 });
    this.#schedule = checkSchedule({ updateInterval, maxTokensPerForward });
    this.#params = engine.put(model.params);
  }

  run(order: ChunkOrder): Promise<ChunkResult> {
    const kind = order.vectors === 'full' ? 'full' : order.collect ? 'collecting' : 'evolving';
    return new ChunkRun(this.#readingOf(kind), this.#schedule, order, this.#model.config).run();
  }

  async dispose(): Promise<void> {
    await Promise.all([...this.#readings.values()].map(({ graphs }) => graphs.release()));
    this.#readings.clear();
    disposeTree(this.#params);
  }

  #readingOf(kind: Kind): Reading {
    const known = this.#readings.get(kind);
    if (known) return known;
    const evolving = kind === 'full' ? undefined : evolvingPolicy(this.#model.config, kind === 'collecting');
    const policy = evolving?.policy ?? fullPolicy();
    const graphs = new ManagedGraphs(this.#engine, this.#transformer, policy, this.#params);
    const reading = { graphs, evolving };
    this.#readings.set(kind, reading);
    return reading;
  }
}

class ChunkRun {
  readonly #reading: Reading;
  readonly #schedule: Schedule;
  readonly #order: ChunkOrder;
  readonly #config: NAMMConfig;
  readonly #members: number;
  readonly #updates: UpdateReport[] = [];

  constructor(reading: Reading, schedule: Schedule, order: ChunkOrder, config: NAMMConfig) {
    this.#reading = reading;
    this.#schedule = schedule;
    this.#order = order;
    this.#config = config;
    this.#members = order.vectors === 'full' ? 1 : order.vectors.length;
  }

  async run(): Promise<ChunkResult> {
    const { trials } = this.#order;
    const texts = await this.#begin();
    try {
      const prompt = trials[0]!.prompt.length;
      const logits = await texts.read(this.#tokens(texts.seen, prompt));
      const first = trials[0]!;
      const ends = first.target
        ? await scoreTargets(
            texts,
            logits,
            this.#perRow((trial) => trial.target!),
          )
        : await writeAnswers(
            texts,
            logits,
            this.#perRow((trial) => trial),
          );
      const outcomes = ends.map(({ fed, ...end }, row) => ({ ...end, ...this.#sizes(row, prompt + fed) }));
      const statistics = this.#order.collect ? await this.#statistics(texts) : undefined;
      return { outcomes: this.#byMember(outcomes), statistics };
    } finally {
      await texts.dispose();
    }
  }

  /**
   * Texts of all rows. What comes before the first update is the same for all members: it is read once for each trial, all but
   * the last piece of the interval, and then stands in every member's rows.
   */
  async #begin(): Promise<ManagedTexts> {
    const { vectors, trials, statistics } = this.#order;
    const { graphs, evolving } = this.#reading;
    const { updateInterval, maxTokensPerForward } = this.#schedule;
    if (vectors !== 'full') {
      const own = vectors.flatMap((vector) => trials.map(() => vector));
      evolving!.use({ vectors: own, statistics });
    }
    const open = (batch: number) =>
      new ManagedTexts(graphs, this.#schedule, batch, {
        onUpdate: (report) => this.#updates.push(report),
        extents: coarseExtents(this.#schedule.updateInterval),
      });
    const all = open(this.#members * trials.length);
    const piece = maxTokensPerForward ?? updateInterval;
    const shared = Math.min(trials[0]!.prompt.length - 1, updateInterval - Math.ceil(piece / 2));
    if (this.#members === 1 || shared < 1) return all;
    const once = open(trials.length);
    const prompts = trials.map(({ prompt }) => prompt.subarray(0, shared));
    (await once.read(stackedIds(prompts))).dispose();
    all.restore(repeatState(await once.state(), this.#members));
    await once.dispose();
    return all;
  }

  /** Prompts of all rows between two places. */
  #tokens(from: number, to: number): NDArray {
    return stackedIds(this.#perRow(({ prompt }) => prompt.subarray(from, to)));
  }

  #perRow<T>(of: (trial: Trial) => T): T[] {
    const each = this.#order.trials.map(of);
    return Array.from({ length: this.#members }, () => each).flat();
  }

  #byMember(outcomes: readonly TrialOutcome[]): TrialOutcome[][] {
    const { length } = this.#order.trials;
    return Array.from({ length: this.#members }, (_, member) =>
      outcomes.slice(member * length, (member + 1) * length),
    );
  }

  /** What a row's cache held, up to its own end. */
  #sizes(row: number, end: number): Pick<TrialOutcome, 'kept' | 'passing' | 'lengths'> {
    const updates = this.#updates.filter(({ seen }) => seen <= end);
    const headsOf = ({ data, shape }: NDArray) => {
      const heads = shape[1]!;
      return Array.from({ length: heads }, (_, head) => data[row * heads + head]!);
    };
    const kept = updates.map(({ layers }) => layers.map(({ lengths }) => headsOf(lengths)));
    const passing = updates.map(({ layers }) => layers.map((layer) => headsOf(layer.passing)));
    const { layers, keyValueHeads } = this.#reading.graphs.model.options;
    const since = end - (updates.at(-1)?.seen ?? 0);
    const last =
      kept.at(-1) ?? Array.from({ length: layers }, () => new Array<number>(keyValueHeads).fill(0));
    return { kept, passing, lengths: last.map((heads) => heads.map((length) => length + since)) };
  }

  /** Moments of the features at all updates: of all layers together, or of each. */
  async #statistics(texts: ManagedTexts): Promise<Statistics | undefined> {
    const { layers } = await texts.state();
    const moments = layers.flatMap(({ policy }) => {
      const { mean, variance, count } = policy?.text ?? {};
      return mean && variance && count
        ? [momentsOfTexts({ mean: mean.data, variance: variance.data, count: count.data })]
        : [];
    });
    if (moments.length === 0) return undefined;
    const { normalise } = this.#config;
    return normalise !== false && normalise.perLayer ? moments : mergeAll(moments.map((one) => [one]));
  }
}
