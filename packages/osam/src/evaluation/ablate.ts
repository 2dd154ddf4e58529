import { type Engine, InputError, type NDArray } from '@palimpsest/tensor-core';
import type { OsamOptions } from '../config.js';
import { type FitOptions, type FitSource, fit } from '../fit.js';
import { createOsamModel, type OsamModel } from '../model.js';
import type { OsamParams } from '../parameters.js';
import type { Variant } from './variants.js';

/** One trained and measured model of an ablation. */
export interface AblationCell {
  readonly variant: string;
  readonly seed: number;
  /** The measured figures by name, such as `bitsPerCharacter`. */
  readonly figures: Readonly<Record<string, number>>;
  /** Wall time of training and measuring. */
  readonly seconds: number;
}

/** Where finished cells are kept, so that an interrupted ablation goes on where it stopped. */
export interface AblationStore {
  load(key: string): Promise<AblationCell | undefined>;
  save(key: string, cell: AblationCell): Promise<void>;
}

export interface AblationOptions {
  readonly variants: readonly Variant[];
  /** At least three; the spread is part of the result. */
  readonly seeds: readonly number[];
  readonly base: OsamOptions;
  readonly training: Omit<FitOptions, 'seed' | 'params' | 'onStep'>;
  /** The training stream of a seed, with a share of its inputs corrupted. */
  readonly source: (seed: number, corrupt: number) => FitSource;
  /** Figures of a trained model. */
  readonly measure: (
    model: OsamModel,
    params: OsamParams<NDArray>,
    seed: number,
  ) => Promise<Record<string, number>>;
  readonly store?: AblationStore;
  readonly onCell?: (cell: AblationCell, done: number, total: number) => void;
}

/** Mean and standard deviation over seeds, and the difference of the mean to the first variant's. */
export interface AblationFigure {
  readonly mean: number;
  readonly deviation: number;
  readonly difference: number;
}

export interface AblationRow {
  readonly variant: string;
  readonly figures: Readonly<Record<string, AblationFigure>>;
  /** Mean wall time of a cell. */
  readonly seconds: number;
}

export interface AblationReport {
  readonly rows: readonly AblationRow[];
  readonly cells: readonly AblationCell[];
}

/**
 * Trains every variant with every seed, in the order in which they are listed, and compares them with the first one
 * (osam.md 12.2).
 * @throws InputError for fewer than three seeds.
 */
export async function ablate(engine: Engine, options: AblationOptions): Promise<AblationReport> {
  const { variants, seeds, store, onCell } = options;
  if (seeds.length < 3) {
    throw new InputError(
      `An ablation needs at least 3 seeds to tell differences from luck; ${seeds.length} were given.`,
    );
  }
  const cells: AblationCell[] = [];
  const total = variants.length * seeds.length;
  for (const variant of variants) {
    for (const seed of seeds) {
      const key = cellKey(variant, seed, options);
      const known = await store?.load(key);
      const cell = known ?? (await runCell(engine, variant, seed, options));
      if (!known) await store?.save(key, cell);
      cells.push(cell);
      onCell?.(cell, cells.length, total);
    }
  }
  return { rows: summarize(variants, cells), cells };
}

/** Everything that decides a cell's result, as text. */
function cellKey(variant: Variant, seed: number, { base, training }: AblationOptions): string {
  return JSON.stringify({ base, training, variant, seed });
}

async function runCell(
  engine: Engine,
  variant: Variant,
  seed: number,
  { base, training, source, measure }: AblationOptions,
): Promise<AblationCell> {
  const start = performance.now();
  const model = createOsamModel({ ...base, ...variant.options });
  const { params } = await fit(engine, model, source(seed, variant.corrupt ?? 0), {
    ...training,
    ...variant.training,
    seed,
  });
  const figures = await measure(model, params, seed);
  return { variant: variant.name, seed, figures, seconds: (performance.now() - start) / 1000 };
}

function summarize(variants: readonly Variant[], cells: readonly AblationCell[]): AblationRow[] {
  const means = (name: string) => {
    const own = cells.filter(({ variant }) => variant === name);
    const figures = Object.keys(own[0]?.figures ?? {}).map((figure) => {
      const values = own.map((cell) => cell.figures[figure]!);
      return [figure, statistics(values)] as const;
    });
    const seconds = own.reduce((sum, cell) => sum + cell.seconds, 0) / own.length;
    return { figures: new Map(figures), seconds };
  };
  const baseline = means(variants[0]?.name ?? '').figures;
  return variants.map(({ name }) => {
    const { figures, seconds } = means(name);
    const compared = [...figures].map(([figure, { mean, deviation }]) => [
      figure,
      { mean, deviation, difference: mean - (baseline.get(figure)?.mean ?? Number.NaN) },
    ]);
    return { variant: name, figures: Object.fromEntries(compared), seconds };
  });
}

function statistics(values: readonly number[]): { mean: number; deviation: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: Math.sqrt(squares / Math.max(1, values.length - 1)) };
}

/** The ablation as a Markdown table. */
export function ablationMarkdown({ rows }: AblationReport): string {
  const names = Object.keys(rows[0]?.figures ?? {});
  const cell = ({ mean, deviation, difference }: AblationFigure) =>
    `${mean.toFixed(4)} ± ${deviation.toFixed(4)} (${difference >= 0 ? '+' : ''}${difference.toFixed(4)})`;
  const lines = rows.map(
    ({ variant, figures, seconds }) =>
      `| ${variant} | ${names.map((name) => cell(figures[name]!)).join(' | ')} | ${seconds.toFixed(1)} |`,
  );
  return [
    `| variant | ${names.join(' | ')} | seconds |`,
    `|---|${names.map(() => '---').join('|')}|---|`,
    ...lines,
    '',
  ].join('\n');
}
