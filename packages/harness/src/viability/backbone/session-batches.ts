import { type Batch, type BatchSource, IGNORED_TARGET, isPlace, type JsonObject } from '@palimpsest/lm';
import { full, InputError, ndarray } from '@palimpsest/tensor-core';
import { SessionRandom } from '../session-random.js';
import { LONGEST_TEXT } from './pocket-model.js';
import { COPY_LENGTH, copySample, MAYBE, type Sample, type SampleMaker } from './samples.js';

/** Lengths of batches; each is a graph of its own. */
const LENGTHS = [32, 48, 64, 96, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640, 704, LONGEST_TEXT];
/** Tokens of a batch, padding counted. */
export const BATCH_TOKENS = 1280;
/** The first text of a batch leaves so much room for longer ones. */
const ROOM = 1.06;
const MOST_FACTS = 30;
/** Share of the run in which sessions grow to the most facts. */
const GROWTH = 0.5;
const UNANSWERED = 0.04;
/** Share of batches that copy: before this share of the run, and before that one. */
const COPYING = [
  { until: 0.15, share: 0.45 },
  { until: 0.5, share: 0.15 },
] as const;
/** Of tokens that are no answers this share counts, this much. */
const OTHERS = 0.15;
const OTHERS_WEIGHT = 0.2;
/** Positions that count at most, as a share of a batch: fixed, because each number is a graph of its own. */
const COUNTED = 0.5;
/** Seeds of samples stand apart from those of every session that is asked about: room for tries of a row, rows and steps. */
const FIRST_SEED = 1e9;
const TRIES = 1000;

export interface SessionBatchesOptions {
  readonly samples: Pick<SampleMaker, 'told' | 'unknown'>;
  readonly vocabulary: number;
  readonly endId: number;
  readonly steps: number;
  readonly seed: number;
}

/**
 * Batches of sessions that grow longer in the course of a run, with a share of pure copying at its beginning. Every batch follows from
 * the seed and its number alone, so that a run goes on exactly.
 */
export class SessionBatches implements BatchSource {
  readonly batch = Math.floor(BATCH_TOKENS / LENGTHS[0]!);
  readonly time = LONGEST_TEXT;
  readonly carriesState = false;
  readonly hasIgnoredTargets = true;
  #next = 0;

  constructor(private readonly options: SessionBatchesOptions) {}

  next(): Batch {
    const { seed, steps, vocabulary } = this.options;
    const step = this.#next;
    this.#next += 1;
    const rng = SessionRandom.stream(seed, `batch/${step}`);
    const done = step / steps;
    const copying = COPYING.find(({ until }) => done < until)?.share ?? 0;
    if (rng.float() < copying) {
      const rows = Math.floor(BATCH_TOKENS / COPY_LENGTH);
      const samples = Array.from({ length: rows }, () => copySample(rng, vocabulary));
      return this.#batchOf(samples, COPY_LENGTH, rng);
    }
    const draw = this.#draw(step, done, rng);
    const first = draw();
    const time = LENGTHS.find((length) => length >= ROOM * first.ids.length) ?? LONGEST_TEXT;
    const samples = [first];
    const rows = Math.floor(BATCH_TOKENS / time);
    for (let tries = 0; samples.length < rows; tries++) {
      const sample = draw();
      if (sample.ids.length <= time || time === LONGEST_TEXT || tries >= TRIES) samples.push(sample);
    }
    return this.#batchOf(samples, time, rng);
  }

  cursor(): JsonObject {
    return { kind: 'session-batches', next: this.#next, steps: this.options.steps, seed: this.options.seed };
  }

  seek({ kind, next, steps, seed }: JsonObject): void {
    const { options } = this;
    if (
      kind !== 'session-batches' ||
      steps !== options.steps ||
      seed !== options.seed ||
      !isPlace(next, options.steps + 1)
    ) {
      throw new InputError(
        `A place in ${options.steps} batches of the seed ${options.seed} was expected, but the stored one is of ${steps} batches of the seed ${seed}; give the steps and the seed of the run that is resumed.`,
      );
    }
    this.#next = next;
  }

  /** Samples of one batch, all of as many facts, one after the other. */
  #draw(step: number, done: number, rng: SessionRandom): () => Sample {
    const { samples, seed } = this.options;
    const most = 2 + (MOST_FACTS - 2) * Math.min(1, done / GROWTH) ** 1.5;
    let own = FIRST_SEED * (1 + seed) + 2 * TRIES * step;
    if (rng.float() < UNANSWERED) return () => samples.unknown(own++);
    const facts = Math.max(2, Math.round(2 * (most / 2) ** rng.float()));
    return () => samples.told(own++, facts);
  }

  #batchOf(samples: readonly Sample[], time: number, rng: SessionRandom): Batch {
    const shape = [samples.length, time];
    const inputs = full(shape, this.options.endId, 'int32');
    const targets = full(shape, IGNORED_TARGET, 'int32');
    const [answers, others]: [number[], number[]] = [[], []];
    samples.forEach(({ ids, weights }, row) => {
      const count = Math.min(ids.length, time);
      for (let place = 0; place < count; place++) {
        const at = row * time + place;
        inputs.data[at] = ids[place]!;
        if (place + 1 >= ids.length) continue;
        targets.data[at] = ids[place + 1]!;
        const weight = weights[place + 1]!;
        if (weight > 0) answers.push(at);
        else if (weight === MAYBE && rng.float() < OTHERS) others.push(at);
      }
    });
    const most = 8 * Math.floor((COUNTED * samples.length * time) / 8);
    const places = [...answers, ...others].slice(0, most);
    const counted = { places: new Int32Array(most), weights: new Float32Array(most) };
    counted.places.set(places);
    places.forEach((_, i) => {
      counted.weights[i] = i < answers.length ? 1 : OTHERS_WEIGHT;
    });
    return {
      inputs,
      targets,
      resets: full([samples.length], 1, 'int32'),
      counted: {
        places: ndarray(counted.places, [most], 'int32'),
        weights: ndarray(counted.weights, [most]),
      },
    };
  }
}
