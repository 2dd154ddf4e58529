import type { GoldenCase, GoldenHandler, GoldenOutputs } from '@palimpsest/base/golden';
import { type Engine, type NDArray, ndarray, runOnce, tf } from '@palimpsest/tensor-core';
import { gatherTokens, groupMean, padTokens } from '../features/attention-rows.js';
import { spectrogram, transformMatrix } from '../features/spectrum.js';
import { windowWeights } from '../features/window.js';
import { windowOf } from './case-parts.js';

interface Variant {
  readonly name: string;
  readonly nFft: number;
  readonly hopLength: number;
  readonly window: string;
  readonly outputMagnitudes: boolean;
}

async function framesOf(testCase: GoldenCase, engine: Engine, variant: Variant): Promise<GoldenOutputs> {
  const { name, nFft, hopLength, outputMagnitudes } = variant;
  const matrix = ndarray(transformMatrix(windowWeights(windowOf(variant.window), nFft, hopLength)), [
    nFft + 2,
    nFft,
  ]);
  const carry = nFft - hopLength;
  /** `[batch, heads, frames, tokens, features]`, as the case has it. */
  const frames = (samples: tf.Tensor, dft: tf.Tensor) =>
    tf.stack(
      spectrogram(samples, dft, hopLength, outputMagnitudes).map((frame) =>
        tf.transpose(frame, [0, 1, 3, 2]),
      ),
      2,
    );
  const first = (attention: tf.Tensor, dft: tf.Tensor) => {
    const rows = groupMean(attention, attention.shape[1]!);
    return frames(
      tf.pad(rows, [
        [0, 0],
        [0, 0],
        [carry, 0],
        [0, 0],
      ]),
      dft,
    );
  };
  const second = (before: tf.Tensor, kept: tf.Tensor, attention: tf.Tensor, dft: tf.Tensor) => {
    const [batch, heads, queries, tokens] = before.shape as [number, number, number, number];
    const last = tf.slice(before, [0, 0, queries - carry, 0], [batch, heads, carry, tokens]);
    const tail = carry === 0 ? [] : [padTokens(gatherTokens(last, kept), attention.shape[3]!)];
    return frames(tf.concat([...tail, attention], 2), dft);
  };
  const given = (part: string): NDArray => testCase.array(`in/${name}_${part}`);
  const spec0 = await runOnce(engine, first, given('attn0'), matrix);
  const spec1 = await runOnce(engine, second, given('attn0'), given('keep0'), given('attn1'), matrix);
  return { [`out/${name}_spec0`]: spec0.data, [`out/${name}_spec1`]: spec1.data };
}

/** Spectra of two intervals with an eviction between them, for every window. */
export const spectrogramCase: GoldenHandler = {
  system: 'namm',
  kind: 'stft-spectrogram',
  async run(testCase, { engine }) {
    const variants = testCase.config.variants as readonly Variant[];
    const outputs: Record<string, GoldenOutputs[string]> = {};
    for (const variant of variants)
      Object.assign(outputs, await framesOf(testCase, engine as Engine, variant));
    return outputs;
  },
};
