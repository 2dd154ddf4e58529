// Table and picture of the results, for the README.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { lineChart, renderChart } from '../../../harness/dist/index.js';
import { NAMES, SHARES } from './judge.mjs';
import { CONTEXT, JUDGED } from './setup.mjs';

const PICTURE = fileURLToPath(new URL('../../../../docs/images/namm-planted-facts.svg', import.meta.url));
const README = fileURLToPath(new URL('../../README.md', import.meta.url));
const [BEGIN, END] = ['<!-- planted facts -->', '<!-- /planted facts -->'];
const TITLES = {
  ...{
    full: 'full cache',
    random: 'random',
    recency: 'recency',
    sinks: 'recency and sinks',
    l2: 'key norm',
    h2o: 'H2O',
  },
  ...{ snapkv: 'SnapKV', tova: 'TOVA', expectedAttention: 'expected attention' },
  ...{ descent: 'NAMM by descent', namm: 'NAMM, evolved' },
};

export async function writeReport({ results, report }) {
  const { cells } = results.read();
  const rows = rowsOf(Object.values(cells));
  const readme = readFileSync(README, 'utf8');
  const [from, to] = [readme.indexOf(BEGIN) + BEGIN.length, readme.indexOf(END)];
  if (to < 0) throw new Error(`The README has no place for the table: ${BEGIN} … ${END}.`);
  writeFileSync(README, `${readme.slice(0, from)}\n\n${tableOf(rows)}\n\n${readme.slice(to)}`);
  writeFileSync(PICTURE, await renderChart(chartOf(rows)));
  report(`${rows.length} rows`);
}

/** For each share and policy: accuracy by task, nats, size and bytes, over all seeds. */
function rowsOf(cells) {
  return [1, ...[...SHARES].sort((a, b) => b - a)].flatMap((share) =>
    NAMES.flatMap((policy) => {
      const own = cells.filter((cell) => cell.policy === policy && cell.share === share);
      if (own.length === 0) return [];
      const tasks = JUDGED.map((task) =>
        overSearches(
          own.filter((cell) => cell.task === task),
          ({ accuracy }) => accuracy,
        ),
      );
      const nats = overSearches(own, (cell) => cell.nats);
      // The same texts: what is left of the differences between them is far smaller.
      const beside = overSearches(own, (cell) => besideFull(cell, cells));
      const { keyValueBytes, stateBytes } = own[0];
      const kept = own.reduce((sum, cell) => sum + cell.kept, 0) / own.length;
      return [{ share, policy, tasks, nats, beside, kept, keyValueBytes, stateBytes }];
    }),
  );
}

/** Nats per character of each text, less those of the full cache. */
function besideFull({ task, seed, nats }, cells) {
  const full = cells.find((cell) => cell.policy === 'full' && cell.task === task && cell.seed === seed);
  return nats.map((value, i) => value - full.nats[i]);
}

/**
 * Mean over all texts, each with its mean over the searches that were judged on it, and the standard error over texts; and where there
 * are several searches, the standard error over them.
 */
function overSearches(cells, valuesOf) {
  const texts = grouped(cells, ({ task, seed }) => `${task}/${seed}`);
  const perText = texts.map((same) => {
    const values = same.map(valuesOf);
    return values[0].map((_, text) => values.reduce((sum, own) => sum + own[text], 0) / values.length);
  });
  const searches = grouped(cells, ({ search }) => search);
  const means = searches.map((own) => estimate(own.map(valuesOf)).mean);
  return { ...estimate(perText), ...(means.length > 1 && { overSearches: estimate([means]).error }) };
}

const grouped = (cells, keyOf) =>
  [...new Set(cells.map(keyOf))].map((key) => cells.filter((cell) => keyOf(cell) === key));

/** Mean over all texts of all seeds with its standard error. */
function estimate(seeds) {
  const values = seeds.flat();
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  return { mean, error: Math.sqrt(variance / values.length) };
}

const percents = ({ mean, error, overSearches: between }) =>
  `${(100 * mean).toFixed(1)} ± ${(100 * error).toFixed(1)}${between === undefined ? '' : ` (${(100 * between).toFixed(1)})`}`;
const signed = ({ mean, error }) =>
  `${mean < 0 ? '−' : '+'}${Math.abs(mean).toFixed(4)} ± ${error.toFixed(4)}`;
const kilobytes = (bytes) => (bytes / 1024).toFixed(0);

function tableOf(rows) {
  const head = [
    'Mean size',
    'Policy',
    'Planted facts, %',
    'Changed facts, %',
    'Nats per character',
    'beside the full cache',
    'Keys and values, KiB',
    "With the policy's own, KiB",
  ];
  const lines = rows.map(({ share, policy, tasks, nats, beside, kept, keyValueBytes, stateBytes }) => [
    share === 1
      ? `all (${kept.toFixed(0)})`
      : `${(100 * share).toFixed(share < 0.1 ? 2 : 1).replace(/\.?0+$/, '')} % (${kept.toFixed(0)})`,
    TITLES[policy],
    ...tasks.map(percents),
    `${nats.mean.toFixed(3)} ± ${nats.error.toFixed(3)}`,
    signed(beside),
    ...[kilobytes(keyValueBytes), kilobytes(stateBytes)],
  ]);
  const right = head.map((_, i) => (i < 2 ? '---' : '--:'));
  return [head, right, ...lines].map((line) => `| ${line.join(' | ')} |`).join('\n');
}

function chartOf(rows) {
  const full = rows.find(({ policy }) => policy === 'full');
  const series = NAMES.filter((name) => name !== 'full').map((name) => ({
    name: TITLES[name],
    dashed: !['namm', 'descent'].includes(name),
    points: rows
      .filter(({ policy }) => policy === name)
      .map(({ share, tasks: [planted] }) => ({
        x: share * CONTEXT,
        y: 100 * planted.mean,
        error: 100 * planted.error,
      })),
  }));
  return lineChart(series, {
    title: 'Answers about facts in 1,024 characters by what the cache keeps',
    ...{ xTitle: 'tokens kept per head, mean over updates', yTitle: 'right answers, %', xScale: 'log' },
    levels: [{ name: 'full cache', y: 100 * full.tasks[0].mean }],
  });
}
