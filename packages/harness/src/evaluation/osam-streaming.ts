import { Session } from '@palimpsest/lm';
import { createOsamModel } from '@palimpsest/osam';
import { Rng } from '@palimpsest/tensor-core';
import { lineChart } from '../report/charts.js';
import type { Evaluation } from './suite.js';

export interface StreamingSize {
  /** Numbers of tokens in memory at which decoding is timed, increasing. */
  readonly contexts: readonly number[];
  readonly dModel: number;
}

const VOCABULARY = 64;
const TIMED_TOKENS = 32;

/** Time and memory per generated token as the text gets longer: both must stay what they were. */
export function osamStreaming({ contexts, dModel }: StreamingSize): Evaluation {
  return {
    name: 'osam/streaming',
    system: 'osam',
    title: 'OSAM: cost of a token as the text grows',
    async run({ engine, seed, signal, progress }) {
      const model = createOsamModel({ vocabSize: VOCABULARY, dModel, sketchDim: 8 * dModel });
      const params = model.init(Rng.fromSeed(seed));
      const session = await Session.create({ engine, model, params, seed });
      const rng = Rng.fromSeed(seed);
      const rows: { context: number; milliseconds: number; stateBytes: number }[] = [];
      try {
        await session.append([0]);
        await timeTokens(session, TIMED_TOKENS);
        for (const [index, context] of contexts.entries()) {
          signal?.throwIfAborted();
          progress(index / contexts.length, `${context} tokens in memory`);
          const missing = Math.max(0, context - session.position);
          await session.append(Array.from({ length: missing }, () => rng.int(VOCABULARY)));
          const milliseconds = await timeTokens(session, TIMED_TOKENS);
          rows.push({ context, milliseconds, stateBytes: session.stateBytes });
        }
      } finally {
        await session.dispose();
      }
      const [first, last] = [rows[0]!, rows.at(-1)!];
      const attentionBytes = (context: number) => 2 * 4 * dModel * context;
      return {
        summary: `The memory has ${last.stateBytes} bytes after ${last.context} tokens, as after ${first.context}; a token takes ${last.milliseconds.toFixed(2)} ms, at first ${first.milliseconds.toFixed(2)} ms. Keys and values of one attention layer of the same width would have grown to ${attentionBytes(last.context)} bytes.`,
        passed: rows.every(({ stateBytes }) => stateBytes === first.stateBytes),
        config: { contexts, dModel, timedTokens: TIMED_TOKENS, model: model.config },
        metrics: [
          { name: 'memory', value: last.stateBytes, unit: 'bytes', higherIsBetter: false },
          ...rows.map(({ context, milliseconds }) => ({
            name: `token after ${context}`,
            value: milliseconds,
            unit: 'ms',
            higherIsBetter: false,
          })),
        ],
        charts: [
          lineChart(
            rows.flatMap(({ context, stateBytes }) => [
              { x: context, y: stateBytes, series: 'OSAM memory' },
              { x: context, y: attentionBytes(context), series: 'keys and values of one attention layer' },
            ]),
            {
              title: 'Memory as the text grows',
              xTitle: 'tokens read',
              yTitle: 'bytes',
              xScale: 'log',
              yScale: 'log',
            },
          ),
        ],
      };
    },
  };
}

/** Median time of one generated token, in milliseconds. */
async function timeTokens(session: Session, count: number): Promise<number> {
  const times: number[] = [];
  for (let token = 0; token < count; token++) {
    const start = performance.now();
    await session.next();
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b)[times.length >> 1]!;
}
