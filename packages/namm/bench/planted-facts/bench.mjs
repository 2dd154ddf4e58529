// Reads texts with a policy of a given mean size, and says what it answered, forgot and took.
import { mean, ndarray } from '@palimpsest/base';
import { fullPolicy, loadPolicy, manageTransformer, nammPolicy, policyByName } from '../../dist/index.js';
import { bisect } from './bisect.mjs';
import { CONTEXT, endOf, kindsOf, MODEL, SCHEDULE, taskOf } from './setup.mjs';

/** Texts of a cell, and how many are read side by side. */
const [TEXTS, ROWS] = [8, 8];
/** From here on every cache has forgotten something, the largest too. */
const FROM = CONTEXT / 4 + SCHEDULE.updateInterval;
/** Texts of the validation part by which the threshold of NAMM is set, and how near its size has to come. */
const [CALIBRATION, TOLERANCE] = [8, 0.02];
/** Scores of evolved policies lie far within. */
const HIGHEST_SHIFT = 64;

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
