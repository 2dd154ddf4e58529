// Judges every policy at equal mean cache sizes on held-out texts: one cell for each policy, size, task and seed.
import { readFileSync } from 'node:fs';
import { mean, writeFileAtomically } from '@palimpsest/base';
import { policies } from '../../dist/index.js';
import { Bench } from './bench.mjs';
import { madeOf, policyHash, requireSame } from './made-of.mjs';
import { CONTEXT, JUDGED, openBase, policyFile } from './setup.mjs';
import { startFile } from './warm-start.mjs';

export const SHARES = [0.125, 0.0625, 0.25];
export const SEEDS = [1, 2, 3];
/** Policies that were learned, each by several searches: where one's file is. */
const LEARNED = { descent: startFile, namm: policyFile };
export const NAMES = ['full', ...Object.keys(policies), ...Object.keys(LEARNED)];

export const keyOf = ({ policy, search, share, task, seed }) =>
  [search === undefined ? policy : `${policy}-${search}`, share, task, seed].join('/');

export async function judge({
  engine,
  text,
  out,
  seed,
  searches,
  results,
  only,
  shares = SHARES,
  report,
  signal,
}) {
  const document = results.read();
  const inputs = madeOf({ out, seed, text });
  requireSame(document, inputs, results.path);
  const { model, params } = await openBase(out, seed);
  // Another process may be judging other policies.
  const save = () => {
    const { cells, sizes } = results.read();
    Object.assign(document, {
      madeOf: inputs,
      cells: { ...cells, ...document.cells },
      sizes: { ...sizes, ...document.sizes },
    });
    return writeFileAtomically(results.path, `${JSON.stringify(document, null, 1)}\n`);
  };
  const bench = new Bench(engine, model, params, text);
  const judged = NAMES.filter((name) => !only || only.includes(name)).flatMap((name) =>
    LEARNED[name] ? searches.map((search) => ({ name, search })) : [{ name }],
  );
  for (const share of shares) {
    for (const { name, search } of judged) {
      const path = LEARNED[name]?.(out, search);
      const whose = path && { search, hash: policyHash(path) };
      const cells = JUDGED.flatMap((task) =>
        SEEDS.map((own) => ({ policy: name, ...whose, share: name === 'full' ? 1 : share, task, seed: own })),
      );
      const missing = cells.filter((cell) => !document.cells[keyOf(cell)]);
      if (missing.length === 0) continue;
      const budget = CONTEXT * share;
      const { policy, shift } = await bench.policyOf(name, budget, path, document.sizes);
      await bench.withPolicy(policy, async (reader) => {
        const bytes = await bench.bytes(reader);
        for (const cell of missing) {
          if (signal.aborted) return;
          const figures = await bench.measure(reader, cell);
          document.cells[keyOf(cell)] = {
            ...cell,
            ...(shift !== undefined && { shift }),
            ...figures,
            ...bytes,
          };
          document.sizes[share] ??= name === 'full' ? undefined : figures.kept;
          await save();
          report(
            `${keyOf(cell)}: ${(100 * mean(figures.accuracy)).toFixed(1)} %, ${mean(figures.nats).toFixed(4)} nats, ${figures.kept.toFixed(1)} tokens`,
          );
        }
      });
      if (signal.aborted) return false;
    }
  }
  return true;
}

/** A file of results: what is in it is not measured again. */
export function resultsAt(path) {
  return {
    path,
    read() {
      try {
        return JSON.parse(readFileSync(path, 'utf8'));
      } catch (error) {
        if (error.code === 'ENOENT') return { cells: {}, sizes: {} };
        throw error;
      }
    },
  };
}
