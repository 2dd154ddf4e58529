import type { GoldenOutputs } from '@palimpsest/base/golden';
import type { NDArray } from '@palimpsest/tensor-core';
import type { OsamModel } from '../model.js';
import { expandState, type OsamState } from '../state.js';

/** Collects what a form computed. Cases differ in what they expect, so everything is an offer. */
export class FormOutputs {
  readonly outputs: Record<string, GoldenOutputs[string]> = {};

  offer(name: string, form: string, value: GoldenOutputs[string] | undefined): void {
    if (value === undefined) return;
    this.outputs[`${name}@${form}`] = typeof value === 'function' ? value : () => value;
  }

  /** What belongs to a block: under its number, and the first block's also without one. */
  offerOfBlock(name: string, block: number, form: string, value: GoldenOutputs[string] | undefined): void {
    this.offer(`${name}${block}`, form, value);
    if (block === 0) this.offer(name, form, value);
  }

  /** Every block's memory in the reference's layout. */
  offerState(model: OsamModel, state: OsamState<NDArray>, form: string, suffix = ''): void {
    state.blocks.forEach((memory, block) => {
      const dense = expandState(memory, model.options, model.plans[block]!);
      const named = { K: dense.K, H: dense.H, G: dense.H, FKRe: dense.FKRe, FKIm: dense.FKIm };
      for (const [name, value] of Object.entries(named)) {
        this.offerOfBlock(`state/${name}${suffix}`, block, form, value?.data);
      }
    });
  }
}
