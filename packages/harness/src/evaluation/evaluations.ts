import { findCases } from '../parity/cases.js';
import { embeddedGoldenFolder } from '../parity/golden.js';
import { parityHandlers } from '../parity/handlers.js';
import { kakeyaRateDistortion, type RateDistortionSize } from './kakeya-rate-distortion.js';
import { osamRecall, type RecallSize } from './osam-recall.js';
import { osamStreaming, type StreamingSize } from './osam-streaming.js';
import { osamText, type TextSize } from './osam-text.js';
import { parityEvaluation } from './parity.js';
import { type SketchSize, sketchError } from './sketch-error.js';
import type { Evaluation } from './suite.js';

/** How much work the evaluations do: `quick` takes about two minutes on two cores. */
export type SuiteSize = 'quick' | 'full';

interface Sizes {
  readonly recall: RecallSize;
  readonly text: TextSize;
  readonly streaming: StreamingSize;
  readonly sketch: SketchSize;
  readonly rateDistortion: RateDistortionSize;
}

const SIZES: Readonly<Record<SuiteSize, Sizes>> = {
  quick: {
    recall: { pairs: 4, steps: 300, widths: [16, 32, 64] },
    text: { characters: 150_000, steps: 300, dModel: 64 },
    streaming: { contexts: [128, 512, 2048], dModel: 64 },
    sketch: { sketchDims: [64, 128, 256, 512, 1024], trials: 200 },
    rateDistortion: { dimension: 128, trainRows: 800, testRows: 200, residuals: [2, 4, 8] },
  },
  full: {
    recall: { pairs: 12, steps: 1000, widths: [16, 32, 64, 128] },
    text: { characters: 1_000_000, steps: 3000, dModel: 128 },
    streaming: { contexts: [128, 512, 2048, 8192], dModel: 128 },
    sketch: { sketchDims: [64, 128, 256, 512, 1024, 2048, 4096], trials: 1000 },
    rateDistortion: { dimension: 256, trainRows: 4000, testRows: 1000, residuals: [2, 4, 8, 16] },
  },
};

/** Every evaluation of every mechanism: what each one can do, then its parity with the golden cases that ship. */
export async function evaluationSuite(size: SuiteSize): Promise<Evaluation[]> {
  const { recall, text, streaming, sketch, rateDistortion } = SIZES[size];
  const folder = embeddedGoldenFolder();
  const systems = [...new Set(findCases(folder).map(({ system }) => system))];
  return [
    osamRecall(recall),
    osamText(text),
    osamStreaming(streaming),
    sketchError(sketch),
    kakeyaRateDistortion(rateDistortion),
    ...systems.map((system) => parityEvaluation(system, folder, parityHandlers)),
  ];
}
