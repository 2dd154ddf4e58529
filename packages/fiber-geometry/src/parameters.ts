import {
  InputError,
  isNDArray,
  type NDArray,
  ndarray,
  sizeOf,
  type tf as Tf,
  tf,
} from '@palimpsest/tensor-core';

/** A parameter: a host array at rest, a tensor inside a compiled function. */
export type Parameter = NDArray | Tf.Tensor;

export interface LinearParameters {
  /** `[outputs, inputs]` */
  readonly weight: Parameter;
  /** `[outputs]` */
  readonly bias: Parameter;
}

/** Three linear layers under the reference's keys (the odd numbers are activations). */
export interface MlpParameters {
  readonly 0: LinearParameters;
  readonly 2: LinearParameters;
  readonly 4: LinearParameters;
}

/** The parameter as a tensor; a host array becomes a constant of the running function. */
export function asTensor(parameter: Parameter): tf.Tensor {
  if (!isNDArray(parameter)) return parameter as tf.Tensor;
  return tf.tensor(parameter.data, [...parameter.shape], parameter.dtype);
}

/** The values of a parameter in double precision. @throws InputError for a tensor of a traced function. */
export function hostValues(parameter: Parameter, what: string): Float64Array {
  if (isNDArray(parameter)) return Float64Array.from(parameter.data);
  if (isTracing()) {
    throw new InputError(
      `${what} needs values on the host, but a compiled function has only symbols; compute it outside and pass the result in.`,
    );
  }
  return Float64Array.from((parameter as tf.Tensor).dataSync());
}

/** Says whether tensors made now are symbols of a graph that is being recorded. */
export function isTracing(): boolean {
  return !['cpu', 'wasm', 'webgl', 'tensorflow'].includes(tf.engine().backendName);
}

/** A random source: one draw of U(0,1) per call. `Rng` of tensor-core has this shape. */
export interface RandomSource {
  uniform(): number;
  normal(): number;
}

/** Values ~ N(0, std²). */
export function normalParameter(
  rng: RandomSource,
  shape: readonly number[],
  std: number,
): NDArray<'float32'> {
  return ndarray(
    Float32Array.from({ length: sizeOf(shape) }, () => std * rng.normal()),
    shape,
  );
}

/** Values uniform in ±bound. */
export function uniformParameter(
  rng: RandomSource,
  shape: readonly number[],
  bound: number,
): NDArray<'float32'> {
  return ndarray(
    Float32Array.from({ length: sizeOf(shape) }, () => bound * (2 * rng.uniform() - 1)),
    shape,
  );
}
