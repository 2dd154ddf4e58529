import { createHostDecoder, type SequenceModel, StepDecoder, type StepTurns } from '@palimpsest/lm';
import type { NDArray } from '@palimpsest/tensor-core';
import { OsamHostForm } from './host/form.js';
import { HostWeights } from './host/weights.js';
import type { OsamModel } from './model.js';
import type { OsamParams } from './parameters.js';
import type { OsamState } from './state.js';

type MakeDecoder = NonNullable<SequenceModel<OsamParams, OsamState>['decoder']>;

/** Decoding on the processor itself; `model` is without a decoder of its own. */
export function decoderOnHost(model: OsamModel): MakeDecoder {
  const formOf = (params: unknown) =>
    new OsamHostForm(new HostWeights(model.options, model.plans, params as OsamParams<NDArray>));
  return (engine, params, options) => createHostDecoder(engine, model, params, formOf, options);
}

/**
 * Decoding of a model that reads its memory at every k-th position only (DERIVATION.md, "Skipped reads"). The host counts
 * positions, so that tokens between two reads run a graph without any read; a graph that finds the position out for itself
 * computes the read of every token and drops it.
 */
export function decoderInTurns(model: OsamModel): MakeDecoder {
  const turns: StepTurns<OsamParams, OsamState> = {
    steps: [true, false].map((reads) => ({
      step: (params, token, state) => model.step(params, token, state, reads),
    })),
    at: (position) => (position % model.options.kUpdate === 0 ? 0 : 1),
    positionOf: (state) => (state as OsamState<NDArray>).position.data[0]!,
  };
  return (engine, params, options) => StepDecoder.create(engine, model, params, options, turns);
}
