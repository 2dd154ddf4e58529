import { median } from '@palimpsest/base';
import {
  type AnySequenceModel,
  countParameters,
  defineTask,
  optionsSchema,
  Session,
  stateBytes,
  trainedContestant,
} from '@palimpsest/lm';
import { type Engine, InputError, Rng } from '@palimpsest/tensor-core';
import { z } from 'zod';

const options = z.strictObject({
  contexts: z
    .array(z.int().min(2))
    .default([128, 512, 2048])
    .describe('tokens in memory at which a token is timed, increasing'),
  vocabSize: z.int().min(2).default(256).describe('number of token ids'),
  timedTokens: z.int().min(1).default(32).describe('tokens timed per context; the median counts'),
  prefillChunk: z.int().min(1).default(128).describe('tokens per call while the context is read'),
});

interface Row {
  readonly context: number;
  readonly milliseconds: number;
  readonly stateBytes: number;
  readonly firstToken: number;
  readonly prefillRate: number;
}

/** Time and memory of one generated token as the text gets longer, and how long the text takes to be read. */
export const decodingCost = defineTask({
  name: 'decoding-cost',
  family: 'efficiency',
  title: 'Cost of a token as the text grows',
  description:
    'A text of random tokens is read, then tokens are generated one by one: milliseconds per token (median) and bytes of memory at several lengths of the text, tokens per second while reading it, and the time until the first generated token. Models that need a context length are built for exactly the one measured. Weights are random; cost does not depend on them.',
  options,
  contenders: 'trained',
  headline: { metric: 'time per token', unit: 'ms', higherIsBetter: false },
  async run(context, { contexts, ...sizes }) {
    const contestant = trainedContestant(context);
    const rows: Row[] = [];
    let parameters = 0;
    let model: AnySequenceModel | undefined;
    for (const [index, length] of contexts.entries()) {
      context.signal?.throwIfAborted();
      context.progress(index / contexts.length, `${length} tokens in memory`);
      model = contestant.create({
        vocabSize: sizes.vocabSize,
        trainLength: length,
        longestLength: length,
      });
      const params = model.init(Rng.fromSeed(context.seed));
      parameters = countParameters(params);
      rows.push(await measure(context.engine, model, params, { ...sizes, length, seed: context.seed }));
    }
    const last = rows.at(-1)!;
    // The longest text first: its figures are the headline.
    return {
      parameters,
      stateBytes: last.stateBytes,
      modelConfig: optionsSchema.parse(model?.config ?? {}),
      metrics: [...rows].reverse().flatMap(metricsOf),
      curves: [
        {
          name: 'time per token',
          xTitle: 'tokens in memory',
          yTitle: 'ms per token',
          points: rows.map((row): [number, number] => [row.context, row.milliseconds]),
        },
      ],
    };
  },
});

interface Measured {
  readonly vocabSize: number;
  readonly timedTokens: number;
  readonly prefillChunk: number;
  readonly length: number;
  readonly seed: number;
}

async function measure(
  engine: Engine,
  model: AnySequenceModel,
  params: unknown,
  { vocabSize, timedTokens, prefillChunk, length, seed }: Measured,
): Promise<Row> {
  const rng = Rng.fromSeed(seed);
  const read = Math.max(1, length - timedTokens);
  const ids = Int32Array.from({ length: read }, () => rng.int(vocabSize));
  const session = await Session.create({ engine, model, params, seed, chunks: [prefillChunk, 8] });
  try {
    // A first reading compiles the graphs; the second is timed.
    await session.prefill(ids.subarray(0, Math.min(read, prefillChunk + 9)));
    await session.next();
    await session.logits();
    const start = performance.now();
    await session.prefill(ids);
    await session.logits();
    const readMs = performance.now() - start;
    await session.next();
    const firstToken = performance.now() - start;
    const times: number[] = [];
    let bytes = session.stateBytes;
    for (let token = 0; token < timedTokens; token++) {
      const before = performance.now();
      await session.logits();
      await session.next();
      times.push(performance.now() - before);
      bytes = Math.max(bytes, session.stateBytes);
    }
    const expected = await stateBytes(model, 1, params);
    // A memory that is read by a reader of its own has the size of what it holds.
    if (!model.reader && session.stateBytes !== expected) {
      throw new InputError(
        `'${model.name}' holds ${session.stateBytes} bytes of memory after ${session.position} tokens, but its first memory has ${expected}.`,
      );
    }
    return {
      context: length,
      milliseconds: median(times.slice(1)),
      stateBytes: bytes,
      firstToken,
      prefillRate: (read * 1000) / readMs,
    };
  } finally {
    await session.dispose();
  }
}

function metricsOf({ context, milliseconds, stateBytes: bytes, firstToken, prefillRate }: Row) {
  const slice = { context };
  return [
    { name: 'time per token', value: milliseconds, unit: 'ms', slice, higherIsBetter: false },
    { name: 'memory', value: bytes, unit: 'bytes', slice, higherIsBetter: false },
    { name: 'time to first token', value: firstToken, unit: 'ms', slice, higherIsBetter: false },
    { name: 'prefill', value: prefillRate, unit: 'tokens/s', slice, higherIsBetter: true },
  ];
}
