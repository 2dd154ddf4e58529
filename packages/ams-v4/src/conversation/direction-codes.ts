import type { PerBundle } from '../prefix/cross-bundle-attention.js';
import type { ConversationConfig } from './config.js';

/** Directions of the three bundles as bytes. */
type DirectionForm = Pick<ConversationConfig, 'directionDtype' | 'dTime' | 'dTopic' | 'dCtx'>;

/** Largest whole number of 8 bits that has a negative. */
const MOST = 127;

const bundles = ['time', 'topic', 'ctx'] as const;

/** Directions as they are kept: whole numbers of 8 bits, the largest of each bundle 127, or float32. */
export function directionBytes(directions: PerBundle<Float32Array>, form: DirectionForm): Uint8Array {
  const coded = bundles.flatMap((bundle) => {
    const own = directions[bundle];
    return [...(form.directionDtype === 'f32' ? bytesOf(own) : bytesOf(levelsOf(own)))];
  });
  return Uint8Array.from(coded);
}

/** Directions from their bytes, at unit length: what they are kept as comes back from them the same. */
export function directionsFrom(bytes: Uint8Array, form: DirectionForm): PerBundle<Float32Array> {
  const { dTime, dTopic, dCtx, directionDtype } = form;
  const floats = directionDtype === 'f32';
  const copy = bytes.slice();
  const all = floats ? new Float32Array(copy.buffer) : Float32Array.from(new Int8Array(copy.buffer));
  const part = (from: number, width: number) => {
    const own = all.slice(from, from + width);
    return floats ? own : unit(own);
  };
  return { time: part(0, dTime), topic: part(dTime, dTopic), ctx: part(dTime + dTopic, dCtx) };
}

/** Directions as they are found by: rounded as they are kept, so that a memory that is put back is found like one that is written. */
export const roundedDirections = (
  directions: PerBundle<Float32Array>,
  form: DirectionForm,
): PerBundle<Float32Array> => directionsFrom(directionBytes(directions, form), form);

function levelsOf(direction: Float32Array): Int8Array {
  const largest = direction.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return Int8Array.from(direction, (value) => (largest === 0 ? 0 : Math.round((MOST * value) / largest)));
}

function unit(direction: Float32Array): Float32Array {
  const length = Math.hypot(...direction);
  return length === 0 ? direction : direction.map((value) => value / length);
}

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);
