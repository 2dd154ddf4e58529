import type { GoldenHandler, GoldenOutputs } from '@palimpsest/base/golden';
import { type NDArray, tf } from '@palimpsest/tensor-core';
import { angleTable, componentPlace, partAngles, type RopeVariant, rotate } from '../rotary.js';
import { runOnce } from './case-parts.js';

interface RopeRun {
  readonly dim: number;
  readonly pct: number;
  readonly base: number;
  readonly variant: RopeVariant;
  readonly seqLen: number;
}

/** Rotates rows of published component order: our order inside, theirs outside. */
function turnRows(variant: RopeVariant, turned: number, base: number) {
  return (x: tf.Tensor) => {
    const [batch, heads, rows, dim] = x.shape as [number, number, number, number];
    const places = Array.from({ length: dim }, (_, i) => componentPlace(variant, turned, i));
    const ours = Int32Array.from({ length: dim }, (_, place) => places.indexOf(place));
    const angles = partAngles(angleTable(variant, turned, base, rows), turned, dim, [1]);
    const ordered = tf.gather(x, tf.tensor1d(ours, 'int32'), 3);
    const result = rotate(tf.reshape(ordered, [batch * heads, 1, rows, dim]), angles);
    return tf.gather(tf.reshape(result, x.shape), tf.tensor1d(Int32Array.from(places), 'int32'), 3);
  };
}

/** Angles of every row and pair, as published: each pair's angle once. */
function thetas(variant: RopeVariant, turned: number, base: number, length: number): Float32Array {
  return Float32Array.from({ length: length * turned }, (_, i) => {
    const row = Math.floor(i / turned);
    const pair = Math.floor((i % turned) / 2);
    const exponent = variant === 'reference' ? -2 * (pair + 1) : (-2 * pair) / turned;
    return (row + 1) * base ** exponent;
  });
}

/** The three rotary rules. */
export const ropeCase: GoldenHandler = {
  system: 'om-arc',
  kind: 'rope',
  async run(testCase, { engine }) {
    const { runs, rotateHalf } = testCase.config as {
      runs: Readonly<Record<string, RopeRun>>;
      rotateHalf?: { dim: number; base: number };
    };
    const outputs: Record<string, GoldenOutputs[string]> = {};
    const turn = async (name: string, variant: RopeVariant, turned: number, base: number) =>
      (await runOnce(engine, turnRows(variant, turned, base), testCase.array(name))) as NDArray;
    for (const [name, { dim, pct, base, variant, seqLen }] of Object.entries(runs)) {
      const turned = Math.ceil(dim * pct);
      for (const input of testCase.names(`in/${name}_L`)) {
        const output = input.replace('in/', 'out/');
        outputs[output] = (await turn(input, variant, turned, base)).data;
        if (testCase.has(`${output}_standard`)) {
          outputs[`${output}_standard`] = (await turn(input, 'standard', turned, base)).data;
        }
      }
      outputs[`out/${name}_thetas`] = thetas(variant, turned, base, seqLen);
    }
    if (rotateHalf) {
      outputs['out/rotateHalf'] = (
        await turn('in/rotateHalf', 'rotateHalf', rotateHalf.dim, rotateHalf.base)
      ).data;
    }
    return outputs;
  },
};
