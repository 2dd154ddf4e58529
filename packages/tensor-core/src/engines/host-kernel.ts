import type { tf } from '../tf.js';

/** What the host backends of TensorFlow.js offer to kernels. */
export type HostBackend = InstanceType<typeof tf.KernelBackend> & {
  readSync(dataId: object): tf.BackendValues;
  write(values: tf.BackendValues, shape: number[], dtype: tf.DataType): object;
  disposeData(dataId: object, force?: boolean): boolean;
};

export type Numbers = Float32Array | Int32Array | Uint8Array;
export type Inputs = Record<string, tf.TensorInfo>;
export type Attributes = Record<string, unknown>;

export interface Result {
  readonly values: Numbers;
  readonly shape: number[];
  readonly dtype: tf.DataType;
}

/** A kernel on host memory. */
export type HostKernel = (
  inputs: Inputs,
  attributes: Attributes,
  read: (info: tf.TensorInfo) => Numbers,
) => Result | Result[];

/** Memory for so many elements. */
export const allocate = (dtype: tf.DataType, size: number): Numbers =>
  dtype === 'float32'
    ? new Float32Array(size)
    : dtype === 'int32'
      ? new Int32Array(size)
      : new Uint8Array(size);
