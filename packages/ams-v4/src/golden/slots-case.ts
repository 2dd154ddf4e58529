import type { GoldenHandler } from '@palimpsest/base/golden';
import { embedding, type tf, valueAndGradient } from '@palimpsest/tensor-core';
import { headedPrefix, pointerSlots, type SlotParameters } from '../slots/pointer-slots.js';
import { contract, gradientOutputs, runCase } from './case-parts.js';

/** Mixtures, slots and the prefix behind a header, and all gradients. */
export const slotsCase: GoldenHandler = {
  system: 'ams-v4',
  kind: 'v47-slots',
  run: async (testCase, context) => {
    const weight = (name: string) => testCase.array<'float32'>(`weights/${name}`);
    const params = {
      pointerQuery: weight('pointerQuery'),
      pointerKeyW: weight('pointerKeyW'),
      pointerKeyB: weight('pointerKeyB'),
      priorStrength: weight('priorStrength'),
      embedMap: weight('embedMap'),
      hiddenMap: weight('hiddenMap'),
      slotBias: weight('slotBias'),
      header: weight('header'),
    };
    type Given = SlotParameters & { readonly header: tf.Tensor };
    type Inputs = Record<'table' | 'ids' | 'mask' | 'hidden' | 'prior' | 'selected' | 'to', tf.Tensor>;
    const { value, gradients, aux } = await runCase(
      context,
      (given: Given, { table, ids, mask, hidden, prior, selected, to }: Inputs) =>
        valueAndGradient((own: Given) => {
          const { attention, slots } = pointerSlots(own, {
            embeddings: embedding(table, ids),
            hidden,
            mask,
            prior,
          });
          const prefix = headedPrefix(slots, own.header, selected);
          return [contract(prefix, to), { attention, slots, prefix }] as const;
        }, given),
      params,
      {
        table: testCase.array('in/embedTable'),
        ids: testCase.array('in/ids'),
        mask: testCase.array('in/mask'),
        hidden: testCase.array('in/hidden'),
        prior: testCase.array('in/prior'),
        selected: testCase.array('in/selected'),
        to: testCase.array('in/lossW'),
      },
    );
    return {
      'out/attention': aux.attention.data,
      'out/slots': aux.slots.data,
      'out/prefix': aux.prefix.data,
      'out/loss': value.data,
      ...gradientOutputs(testCase, gradients),
    };
  },
};
