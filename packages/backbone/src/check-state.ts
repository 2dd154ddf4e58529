import { formatShape, InputError, type tf } from '@palimpsest/tensor-core';
import { slotsOf, type TransformerState } from './cache.js';
import type { TransformerConfig } from './config.js';

/**
 * Checks a state that may have been made by hand: its parts, their shapes and dtypes.
 * @param batch texts of the call
 * @throws InputError naming the first part that does not fit, with the shape that it needs.
 */
export function checkState(config: TransformerConfig, state: TransformerState, batch: number): void {
  const { keyValueHeads, headWidth, layers, evictable } = config;
  const slots = slotsOf(config);
  checkBatch(state?.position, batch);
  const check = (name: string, part: tf.Tensor | undefined, dtype: string, shape: readonly number[]) => {
    if (part?.dtype === dtype && part.shape.join() === shape.join()) return;
    const found = part?.shape ? `${part.dtype} ${formatShape(part.shape)}` : 'nothing';
    throw new InputError(
      `The state's '${name}' needs ${dtype} ${formatShape(shape)}, but ${found} was given; see initState(params, ${batch}).`,
    );
  };
  const refuse = (name: string, part: tf.Tensor | undefined, instead: string) => {
    if (!part) return;
    throw new InputError(`The state has '${name}', but positions of this model are kept ${instead}.`);
  };
  check('position', state.position, 'int32', [batch]);
  if (evictable) refuse('positions', state.positions, "per layer ('evictable')");
  else check('positions', state.positions, 'int32', [batch, 1, slots]);
  if (state.layers?.length !== layers) {
    throw new InputError(
      `The state needs ${layers} layers, but has ${state.layers?.length ?? 'none'}; see initState(params, ${batch}).`,
    );
  }
  state.layers.forEach((cache, layer) => {
    // The slots of an evictable layer are those of its own arrays, which shrink and grow.
    const own = evictable ? (cache?.positions?.shape[2] ?? slots) : slots;
    const name = (part: string) => `layers.${layer}.${part}`;
    check(name('keys'), cache?.keys, 'float32', [batch, keyValueHeads, own, headWidth]);
    check(name('values'), cache?.values, 'float32', [batch, keyValueHeads, own, headWidth]);
    if (evictable) check(name('positions'), cache?.positions, 'int32', [batch, keyValueHeads, own]);
    else refuse(name('positions'), cache?.positions, 'once for all layers');
  });
}

/** A state of another number of texts has a message of its own, since it is the mistake that is made most. */
function checkBatch(position: tf.Tensor | undefined, batch: number): void {
  if (position?.rank !== 1 || position.shape[0] === batch) return;
  throw new InputError(
    `The state holds ${position.shape[0]} texts, but ${batch} were given; make it with initState(params, ${batch}).`,
  );
}
