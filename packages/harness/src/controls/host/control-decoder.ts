import { createHostDecoder, type SequenceModel } from '@palimpsest/lm';
import { HostControl, type HostControlParams } from './host-control.js';
import type { MakeHostMixer } from './host-mixer.js';

/** A control model that decodes on the processor. */
export function withHostDecoder<P, S>(
  model: SequenceModel<P, S>,
  makeMixer: MakeHostMixer,
): SequenceModel<P, S> {
  return {
    ...model,
    decoder: (engine, params, options) =>
      createHostDecoder(
        engine,
        model,
        params,
        (host) => new HostControl(host as HostControlParams, makeMixer),
        options,
      ),
  };
}
