// Judges every policy at equal mean cache sizes on held-out texts: one cell for each policy, size, task and seed.
import { readFileSync } from 'node:fs';
import { mean, ndarray, writeFileAtomically } from '@palimpsest/base';
import {
  fullPolicy,
  loadPolicy,
  manageTransformer,
  nammPolicy,
  policies,
  policyByName,
} from '../../dist/index.js';
import { bisect } from './bisect.mjs';
import { madeOf, policyHash, requireSame } from './made-of.mjs';
import { CONTEXT, endOf, JUDGED, kindsOf, MODEL, openBase, policyFile, SCHEDULE, taskOf } from './setup.mjs';
import { startFile } from './warm-start.mjs';

export const SHARES = [0.125, 0.0625, 0.25];
export const SEEDS = [1, 2, 3];
/** Policies that were learned, each by several searches: where one's file is. */
const LEARNED = { descent: startFile, namm: policyFile };
export const NAMES = ['full', ...Object.keys(policies), ...Object.keys(LEARNED)];
/** Texts of a cell, and how many are read side by side. */
const [TEXTS, ROWS] = [8, 8];
/** From here on every cache has forgotten something, the largest too. */
const FROM = CONTEXT / 4 + SCHEDULE.updateInterval;
/** Texts of the validation part by which the threshold of NAMM is set, and how near its size has to come. */
const [CALIBRATION, TOLERANCE] = [8, 0.02];
/** Scores of evolved policies lie far within. */
const HIGHEST_SHIFT = 64;

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

export class Bench {
  constructor(engine, model, params, text) {
    Object.assign(this, { engine, model, params, text });
  }

  /** A policy of a mean size; that of a learned one is found by its threshold, on texts set aside for it. */
  async policyOf(name, budget, policyPath, sizes) {
    if (name === 'full') return { policy: fullPolicy() };
    if (!policyPath) return { policy: policyByName(name, { size: budget }) };
    const evolved = await loadPolicy(policyPath);
    const target = sizes[budget / CONTEXT];
    const shift = await this.shiftFor(evolved, target);
    return { policy: shifted(evolved, shift), shift };
  }

  async withPolicy(policy, use, schedule = SCHEDULE) {
    const managed = manageTransformer(this.model, policy, schedule);
    const reader = managed.compile(this.engine, this.params);
    try {
      await use(reader);
    } finally {
      await reader.dispose();
    }
  }

  /** Accuracy of the answers at the end and nats per character of the text, for each text; mean size over updates. */
  async measure(reader, { task, seed }, { split = 'test', texts = TEXTS, ...options } = {}) {
    const samples = this.#samples(task, split, seed, texts);
    const read = await this.#read(reader, samples, options);
    return {
      kept: mean(read.map(({ kept }) => kept)),
      layers: read[0].layers.map((_, layer) => mean(read.map(({ layers }) => layers[layer]))),
      accuracy: read.flatMap(({ accuracy }) => accuracy),
      nats: read.flatMap(({ nats }) => nats),
    };
  }

  /** Bytes of one text, as allocated: means over what there is after each interval. */
  async bytes(reader) {
    const [ids] = this.#samples('plantedFacts', 'validation', 0, 1);
    const { updateInterval } = SCHEDULE;
    const [keyValues, whole] = [[], []];
    const texts = reader.read(1);
    for (let from = 0; from < ids.length; from += updateInterval) {
      const part = ids.slice(from, from + updateInterval);
      await texts.readAll(ndarray(part, [1, part.length], 'int32'));
      if (part.length < updateInterval) break;
      keyValues.push(texts.keyValueBytes);
      whole.push(texts.stateBytes);
    }
    await texts.dispose();
    return { keyValueBytes: Math.round(mean(keyValues)), stateBytes: Math.round(mean(whole)) };
  }

  #samples(task, split, seed, count) {
    const source = taskOf(task, this.text, undefined, { seed });
    return Array.from({ length: count }, (_, index) => {
      const { prompt, target } = source.sample(split, index).trial;
      return Int32Array.of(...prompt, ...target);
    });
  }

  async #read(reader, samples, options = {}) {
    const results = [];
    for (let from = 0; from < samples.length; from += ROWS) {
      const part = samples.slice(from, from + ROWS);
      const sizes = [];
      const texts = reader.read(part.length, {
        ...options,
        extents: evenExtents,
        onUpdate: ({ layers, due }) => sizes.push(layers.map(({ lengths }) => meanLength(lengths, due))),
      });
      const length = part[0].length;
      const tokens = ndarray(
        Int32Array.from(part.flatMap((ids) => [...ids])),
        [part.length, length],
        'int32',
      );
      const logits = await texts.readAll(tokens);
      await texts.dispose();
      // Without updates everything is there after each interval.
      if (sizes.length === 0) {
        for (let seen = SCHEDULE.updateInterval; seen <= length; seen += SCHEDULE.updateInterval)
          sizes.push(new Array(MODEL.layers).fill(seen));
      }
      const layers = Array.from({ length: MODEL.layers }, (_, layer) =>
        mean(sizes.map((update) => update[layer])),
      );
      results.push({ layers, kept: mean(layers), ...this.#figures(part, logits) });
    }
    return results;
  }

  #figures(texts, { data, shape: [, length, width] }) {
    const [accuracy, nats] = [[], []];
    texts.forEach((ids, row) => {
      const written = this.text.tokenizer.decode(ids);
      const [kinds, end] = [kindsOf(written), endOf(written)];
      const [right, lost] = [[], []];
      for (let at = FROM; at < length; at++) {
        const logits = data.subarray((row * length + at - 1) * width, (row * length + at) * width);
        if (kinds[at] === 'answer' && at > end) right.push(argmax(logits) === ids[at] ? 1 : 0);
        if (kinds[at] === 'text') lost.push(-logProbability(logits, ids[at]));
      }
      accuracy.push(mean(right));
      nats.push(mean(lost));
    });
    return { accuracy, nats };
  }

  /** The mean size falls as the threshold rises. */
  async shiftFor(evolved, target, schedule = SCHEDULE) {
    const samples = this.#samples('plantedFacts', 'validation', 0, CALIBRATION);
    let found;
    await this.withPolicy(
      shifted(evolved, 0),
      async (reader) => {
        const sizeAt = async (shift) => {
          const read = await this.#read(reader, samples, { policy: shifted(evolved, shift) });
          return mean(read.map(({ kept }) => kept));
        };
        found = await bisect(sizeAt, target, {
          range: [HIGHEST_SHIFT, -HIGHEST_SHIFT],
          tolerance: TOLERANCE,
        });
      },
      schedule,
    );
    return found;
  }
}

export const shifted = ({ config, parameters, statistics }, shift) =>
  nammPolicy({ ...config, thresholdShift: shift }, { vectors: [parameters], statistics });

/** The same slots in all layers, so that few graphs are made. */
const evenExtents = (kept) => kept.map(() => Math.ceil(Math.max(...kept) / 64) * 64);

/** Of the texts that were looked through. */
function meanLength({ data, shape: [, heads] }, due) {
  return mean([...data].filter((_, list) => due?.[Math.floor(list / heads)] ?? true));
}

const argmax = (values) => values.reduce((best, value, i) => (value > values[best] ? i : best), 0);

function logProbability(logits, id) {
  const most = logits.reduce((a, b) => Math.max(a, b));
  return logits[id] - most - Math.log(logits.reduce((sum, value) => sum + Math.exp(value - most), 0));
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
