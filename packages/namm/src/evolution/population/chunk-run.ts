import type { NDArray } from '@palimpsest/tensor-core';
import type { NAMMConfig } from '../../config.js';
import type { ManagedGraphs } from '../../managed/graphs.js';
import { ManagedTexts } from '../../managed/managed-texts.js';
import type { Schedule } from '../../managed/schedule.js';
import type { HostState } from '../../managed/state.js';
import { nammPolicy } from '../../policy/namm-policy.js';
import type { Statistics, TrialOutcome } from '../trial.js';
import { type ChunkOrder, type ChunkResult, mergeAll } from './chunk.js';
import { joinStates } from './join-states.js';
import { momentsOfTexts } from './population-policy.js';
import { stackedIds } from './stacked-ids.js';
import { TextSizes } from './text-sizes.js';
import { scoreTargets, writeAnswers } from './trial-ends.js';

/** What a chunk is run with. */
export interface ChunkSetting {
  readonly config: NAMMConfig;
  readonly schedule: Schedule;
  /** Graphs of the members' policy. */
  readonly watched: ManagedGraphs;
  /** Graphs that look at no attention, for what comes behind the last update. */
  readonly unwatched: ManagedGraphs;
}

/** A member behind the prompt of a trial. */
interface ReadPrompt {
  /** By member and trial. */
  readonly row: number;
  readonly state: HostState;
  /** After the last token, `[vocabSize]` */
  readonly logits: ArrayLike<number>;
}

const LEAST_SLOTS = 64;
const SLOT_STEP = 128;

/** Few different numbers of slots, the same for all layers, so that few graphs are made whatever members keep. */
function coarse(slots: number, updateInterval: number): number {
  if (slots <= LEAST_SLOTS && updateInterval >= LEAST_SLOTS) return LEAST_SLOTS;
  const step = Math.min(SLOT_STEP, updateInterval);
  return Math.max(1, Math.ceil(slots / step)) * step;
}

/** Texts are decoded beside others that have up to this many times their slots, in multiples of so many texts. */
const WIDEST = 2;
const ABREAST = 4;

/**
 * Members on trials whose prompts are equally long. Prompts cost arithmetic, which is done fastest text by text, since the rows of
 * one stay near the processor; what all members have in common is done once. Answers cost calls, which texts of similar size share,
 * or none, where the processor writes them.
 */
export class ChunkRun {
  readonly #setting: ChunkSetting;
  readonly #order: ChunkOrder;
  readonly #members: number;
  /** By member and trial. */
  readonly #sizes: TextSizes[];
  /** Tokens of a prompt, and of the longest text that is read. */
  readonly #prompt: number;
  readonly #end: number;

  constructor(setting: ChunkSetting, order: ChunkOrder) {
    this.#setting = setting;
    this.#order = order;
    this.#members = order.vectors === 'full' ? 1 : order.vectors.length;
    const { prompt, target, maxNewTokens = 0 } = order.trials[0]!;
    this.#prompt = prompt.length;
    // Nobody reads the last token of an answer.
    this.#end = prompt.length + Math.max(0, (target?.length ?? maxNewTokens) - 1);
    const { layers, keyValueHeads } = setting.watched.model.options;
    this.#sizes = Array.from(
      { length: this.#members * order.trials.length },
      () => new TextSizes(layers, keyValueHeads),
    );
  }

  async run(): Promise<ChunkResult> {
    const { trials, collect } = this.#order;
    const read: ReadPrompt[] = [];
    const rows = new Array<TrialOutcome>(this.#members * trials.length);
    const isAlone = await this.#writesAlone();
    for (let trial = 0; trial < trials.length; trial++) {
      const common = await this.#readCommon(trial);
      for (let member = 0; member < this.#members; member++) {
        const row = member * trials.length + trial;
        if (isAlone) rows[row] = await this.#answer(row, common);
        else read.push(await this.#readPrompt(row, common));
      }
    }
    const states: HostState[] = [];
    for (const group of grouped(read)) {
      const end = await this.#finish(group);
      states.push(end.state);
      group.forEach(({ row }, place) => {
        rows[row] = end.outcomes[place]!;
      });
    }
    const outcomes = Array.from({ length: this.#members }, (_, member) =>
      rows.slice(member * trials.length, (member + 1) * trials.length),
    );
    return { outcomes, statistics: collect ? this.#statistics(states) : undefined };
  }

  /** Tokens up to the last update; all, where what is carried is wanted to the end. */
  get #watchedUntil(): number {
    const { updateInterval } = this.#setting.schedule;
    return this.#order.collect ? this.#end : this.#end - (this.#end % updateInterval);
  }

  /** Up to the first update a text is the same for all members: it is read once. */
  async #readCommon(trial: number): Promise<HostState | undefined> {
    const { updateInterval, maxTokensPerForward } = this.#setting.schedule;
    const piece = maxTokensPerForward ?? updateInterval;
    const count = Math.min(updateInterval, this.#prompt - 1);
    const shared = count - (count % piece);
    if (this.#members === 1 || shared === 0) return undefined;
    const texts = this.#texts([trial], shared <= this.#watchedUntil);
    try {
      (await texts.read(this.#tokens(trial, 0, shared), undefined, 'later')).dispose();
      return await texts.state();
    } finally {
      await texts.dispose();
    }
  }

  async #readPrompt(row: number, common: HostState | undefined): Promise<ReadPrompt> {
    const trial = row % this.#order.trials.length;
    const until = Math.min(this.#prompt, this.#watchedUntil);
    let [state, logits]: [HostState | undefined, ArrayLike<number>] = [common, []];
    const read = async (isWatched: boolean, to: number) => {
      const texts = this.#texts([row], isWatched);
      try {
        if (state) texts.restore(isWatched ? state : withoutPolicy(state));
        if (state && isWatched && texts.seen % this.#setting.schedule.updateInterval === 0) {
          await texts.update();
        }
        if (texts.seen < to) {
          const last = await texts.read(this.#tokens(trial, texts.seen, to));
          logits = await last.data();
          last.dispose();
        }
        state = await texts.state();
      } finally {
        await texts.dispose();
      }
    };
    const seen = common?.seen.data[0] ?? 0;
    if (until > 0 && seen <= until) await read(true, until);
    if (until < this.#prompt) await read(false, this.#prompt);
    return { row, state: state!, logits };
  }

  /** Whether answers are written by texts alone: small models decode on the processor, where calls cost nothing. */
  async #writesAlone(): Promise<boolean> {
    const { trials, collect } = this.#order;
    if (collect || trials[0]!.target) return false;
    const host = await this.#setting.unwatched.host;
    return host?.form.fits(this.#end + 1) ?? false;
  }

  /** Reads a prompt behind what all members have in common, and answers it. */
  async #answer(row: number, common: HostState | undefined): Promise<TrialOutcome> {
    const { unwatched, schedule } = this.#setting;
    const { trials } = this.#order;
    const trial = row % trials.length;
    const isWatched = (common?.seen.data[0] ?? 0) <= this.#watchedUntil && this.#watchedUntil > 0;
    let logits: ArrayLike<number> = [];
    let texts = this.#texts([row], isWatched);
    const read = async (to: number) => {
      if (texts.seen >= to) return;
      const last = await texts.read(this.#tokens(trial, texts.seen, to));
      logits = await last.data();
      last.dispose();
    };
    try {
      if (common) texts.restore(isWatched ? common : withoutPolicy(common));
      if (common && isWatched && texts.seen % schedule.updateInterval === 0) await texts.update();
      if (isWatched) await read(Math.min(this.#prompt, this.#watchedUntil));
      if (isWatched && this.#watchedUntil <= this.#prompt) texts = await texts.handOn(unwatched);
      await read(this.#prompt);
      const [end] = await writeAnswers(texts, Float32Array.from(logits), [trials[trial]!]);
      const { fed, ...answer } = end!;
      return { ...answer, ...this.#sizes[row]!.until(this.#prompt + fed) };
    } finally {
      await texts.dispose();
    }
  }

  /** The answers or targets of some texts. */
  async #finish(group: readonly ReadPrompt[]): Promise<{ outcomes: TrialOutcome[]; state: HostState }> {
    const { trials, collect } = this.#order;
    // The last text comes again until there are as many as there are graphs for.
    const padding = collect ? 0 : -group.length & (ABREAST - 1);
    const abreast =
      group.length === 1 ? group : [...group, ...Array.from({ length: padding }, () => group.at(-1)!)];
    const rows = abreast.map(({ row }) => row);
    const isWatched = collect || this.#watchedUntil > this.#prompt;
    const texts = this.#texts(rows, isWatched, group.length);
    try {
      const states = abreast.map(({ state }) => (isWatched ? state : withoutPolicy(state)));
      texts.restore(joinStates(states, Math.max(...group.map(slotsOf))));
      const logits = Float32Array.from(abreast.flatMap((one) => Array.from(one.logits)));
      const trialsOfRows = rows.map((row) => trials[row % trials.length]!);
      const ends = trials[0]!.target
        ? await scoreTargets(
            texts,
            logits,
            trialsOfRows.map((trial) => trial.target!),
          )
        : await writeAnswers(texts, logits, trialsOfRows);
      const outcomes = group.map(({ row }, place): TrialOutcome => {
        const { fed, ...end } = ends[place]!;
        return { ...end, ...this.#sizes[row]!.until(this.#prompt + fed) };
      });
      return { outcomes, state: await texts.state() };
    } finally {
      await texts.dispose();
    }
  }

  /**
   * Texts before their first token.
   * @param rows by member and trial
   * @param counted so many of them are watched; the rest is padding
   */
  #texts(rows: readonly number[], isWatched: boolean, counted = rows.length): ManagedTexts {
    const { config, schedule, watched, unwatched } = this.#setting;
    const { vectors, trials, statistics } = this.#order;
    if (vectors === 'full' || !isWatched) return new ManagedTexts(unwatched, schedule, rows.length);
    const own = rows.map((row) => vectors[Math.floor(row / trials.length)]!);
    return new ManagedTexts(watched, schedule, rows.length, {
      policy: nammPolicy(config, { vectors: own, statistics }),
      extents: (kept) => {
        const slots = coarse(Math.max(...kept), schedule.updateInterval);
        return kept.map(() => slots);
      },
      onUpdate: (report) => {
        for (let place = 0; place < counted; place++) this.#sizes[rows[place]!]!.add(report, place);
      },
    });
  }

  /** The prompt of a trial between two places. */
  #tokens(trial: number, from: number, to: number): NDArray {
    return stackedIds([this.#order.trials[trial]!.prompt.subarray(from, to)]);
  }

  /** Moments of the features at all updates: of all layers together, or of each. */
  #statistics(states: readonly HostState[]): Statistics | undefined {
    const perGroup = states.map(({ layers }) =>
      layers.flatMap(({ policy }) => {
        const { mean, variance, count } = policy?.text ?? {};
        return mean && variance && count
          ? [momentsOfTexts({ mean: mean.data, variance: variance.data, count: count.data })]
          : [];
      }),
    );
    const moments = mergeAll(perGroup.map((rows) => (rows.length > 0 ? rows : undefined)));
    if (!moments) return undefined;
    const { normalise } = this.#setting.config;
    return normalise !== false && normalise.perLayer ? moments : mergeAll(moments.map((one) => [one]));
  }
}

/** Texts whose caches have similar sizes, largest first. */
function grouped(read: readonly ReadPrompt[]): ReadPrompt[][] {
  const order = [...read].sort((a, b) => slotsOf(b) - slotsOf(a) || a.row - b.row);
  const groups: ReadPrompt[][] = [];
  for (const one of order) {
    const group = groups.at(-1);
    if (group && slotsOf(group[0]!) <= WIDEST * slotsOf(one)) group.push(one);
    else groups.push([one]);
  }
  return groups;
}

const slotsOf = ({ state }: ReadPrompt): number =>
  Math.max(...state.layers.map(({ positions }) => positions.shape[2]!));

/** The cache alone. */
const withoutPolicy = (state: HostState): HostState => ({
  ...state,
  layers: state.layers.map(({ keys, values, positions }) => ({ keys, values, positions })),
});
