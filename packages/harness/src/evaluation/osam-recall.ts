import { createOsamModel, type OsamOptions } from '@palimpsest/osam';
import { scatterChart } from '../report/charts.js';
import type { Metric } from '../results/schema.js';
import { AssociativeRecall } from '../tasks/associative-recall.js';
import { type Accuracy, measureAccuracy } from './recall-accuracy.js';
import type { Evaluation, EvaluationContext } from './suite.js';
import { type TrainedProbe, trainProbe } from './train-probe.js';

export interface RecallSize {
  readonly pairs: number;
  readonly steps: number;
  /** Widths of the improved model on the frontier; the other models have the last of them. */
  readonly widths: readonly number[];
}

interface Candidate {
  readonly label: string;
  readonly series: string;
  readonly options: Omit<OsamOptions, 'vocabSize'>;
}

const BATCH = 32;
const EVALUATION_BATCHES = 16;

/** Models that differ in what their memory can do, and the improved one at several sizes. */
function candidates(widths: readonly number[]): Candidate[] {
  const width = widths.at(-1)!;
  const sized = (dModel: number) => ({ dModel, sketchDim: 4 * dModel, readoutHidden: 2 * dModel });
  return [
    ...widths.map((dModel) => ({
      label: `improved, d ${dModel}`,
      series: 'improved',
      options: sized(dModel),
    })),
    {
      label: 'improved without key mix',
      series: 'without key mix',
      options: { ...sized(width), keyMix: false },
    },
    { label: 'reference', series: 'reference', options: { ...sized(width), mode: 'parity' } },
    {
      label: 'no memory',
      series: 'no memory',
      options: { ...sized(width), enableValuePath: false, featurePath: false },
    },
  ];
}

/** Associative recall against bytes of memory: the improved block, the reference's, and a block that reads no memory. */
export function osamRecall({ pairs, steps, widths }: RecallSize): Evaluation {
  return {
    name: 'osam/recall',
    system: 'osam',
    title: `OSAM: recall of ${pairs} pairs against bytes of memory`,
    async run(context) {
      const results: (Candidate & { probe: TrainedProbe; accuracy: Accuracy })[] = [];
      const all = candidates(widths);
      for (const [index, candidate] of all.entries()) {
        const share = { from: index / all.length, to: (index + 1) / all.length, label: candidate.label };
        results.push({ ...candidate, ...(await runCandidate(context, candidate, { pairs, steps }, share)) });
      }
      const chance = 1 / 16;
      const best = results.filter(({ series }) => series === 'improved').at(-1)!;
      const without = results.at(-1)!;
      return {
        summary: `${pairs} random pairs are told, then every key is asked once; chance is ${chance}. After ${steps} steps of ${BATCH} sequences the improved block (d ${widths.at(-1)}) answers ${percent(best.accuracy)}, the block without memory ${percent(without.accuracy)}.`,
        // A memory that works is far above both chance and the model that cannot look anything up.
        passed: best.accuracy.value > 0.5 && without.accuracy.value < 2 * chance,
        config: { pairs, steps, batch: BATCH, evaluationBatches: EVALUATION_BATCHES, widths },
        metrics: results.map(({ label, accuracy, probe }) =>
          toMetric(`${label} (${probe.stateBytes} bytes)`, accuracy),
        ),
        charts: [
          scatterChart(
            results.map(({ series, accuracy, probe }) => ({
              x: probe.stateBytes,
              y: accuracy.value,
              series,
            })),
            {
              title: `Recall of ${pairs} pairs against the size of the memory`,
              xTitle: 'bytes of memory per text',
              yTitle: 'accuracy',
              xScale: 'log',
              yDomain: [0, 1],
            },
          ),
        ],
      };
    },
  };
}

async function runCandidate(
  context: EvaluationContext,
  { options }: Candidate,
  { pairs, steps }: { pairs: number; steps: number },
  share: { from: number; to: number; label: string },
): Promise<{ probe: TrainedProbe; accuracy: Accuracy }> {
  const { engine, seed } = context;
  const source = new AssociativeRecall({ pairs, batch: BATCH, seed });
  const model = createOsamModel({ ...options, vocabSize: source.vocabSize });
  const settings = { steps, weightDecay: 0.01, schedule: 'constant', telemetry: false } as const;
  const probe = await trainProbe(context, model, source, settings, share);
  const fresh = new AssociativeRecall({ pairs, batch: BATCH, seed: seed + 1 });
  return { probe, accuracy: await measureAccuracy(engine, model, probe.params, fresh, EVALUATION_BATCHES) };
}

function toMetric(name: string, { value, standardError, samples }: Accuracy): Metric {
  return {
    name,
    value: value * 100,
    standardError: standardError * 100,
    samples,
    unit: '%',
    higherIsBetter: true,
  };
}

function percent({ value }: Accuracy): string {
  return `${(value * 100).toFixed(1)} %`;
}
