import { tf } from '../tf.js';
import type { HostBackend } from './host-kernel.js';

/** The kernel of the `cpu` backend, wrapped to read its inputs from another backend and to write its result there. */
function onHost(kernelName: string): tf.KernelFunc {
  const cpu = tf.engine().findBackend('cpu') as HostBackend;
  const { kernelFunc } = tf.getKernel(kernelName, 'cpu');
  return ({ inputs, attrs, backend }) => {
    const device = backend as HostBackend;
    const borrowed: object[] = [];
    const toCpu = (info: tf.TensorInfo): tf.TensorInfo => {
      const dataId = cpu.write(device.readSync(info.dataId).slice() as never, info.shape, info.dtype);
      borrowed.push(dataId);
      return { dataId, shape: info.shape, dtype: info.dtype };
    };
    const hostInputs = Array.isArray(inputs)
      ? inputs.map((info) => toCpu(info as tf.TensorInfo))
      : Object.fromEntries(
          Object.entries(inputs).map(([key, info]) => [key, info && toCpu(info as tf.TensorInfo)]),
        );
    const result = kernelFunc({ inputs: hostInputs as never, ...(attrs && { attrs }), backend: cpu });
    const results = (Array.isArray(result) ? result : [result]) as tf.TensorInfo[];
    const outputs = results.map(({ dataId, shape, dtype }) => {
      const values = cpu.readSync(dataId).slice() as never;
      if (!borrowed.includes(dataId)) cpu.disposeData(dataId, true);
      return { dataId: device.write(values, shape, dtype), shape, dtype };
    });
    for (const dataId of borrowed) cpu.disposeData(dataId, true);
    return Array.isArray(result) ? outputs : outputs[0]!;
  };
}

type Condition = (inputs: Record<string, tf.TensorInfo>, attributes: Record<string, unknown>) => boolean;

/** Terms that may be added in float32 one after the other. */
const LONGEST_PLAIN_SUM = 64;
const LONGEST_PLAIN_SOFTMAX = 2 ** 14;

const isLongSum: Condition = ({ x }, { axis }) => {
  const axes = [axis ?? [...x!.shape.keys()]].flat() as number[];
  const count = axes.reduce((product, at) => product * x!.shape.at(at)!, 1);
  return count > LONGEST_PLAIN_SUM || count === 0;
};

const isEmpty: Condition = (inputs) => Object.values(inputs).some(({ shape }) => shape.includes(0));
const always: Condition = () => true;
const ofIntegers: Condition = (inputs) => Object.values(inputs).some(({ dtype }) => dtype !== 'float32');

/** Kernels of the wasm backend that give wrong values, and when (found by the tests of kernels). */
const WRONG_ON_WASM: Record<string, Condition> = {
  Cast: (_inputs, { dtype }) => dtype === 'bool',
  // It writes four bytes of an integer for each element, whatever the dtype.
  OneHot: (_inputs, { dtype }) => dtype !== undefined && dtype !== 'int32',
  GatherV2: (_inputs, { batchDims }) => Number(batchDims ?? 0) > 0,
  Prelu: always,
  // log(1 + x) forgets an x below 1e-7; sin and cos reduce their arguments with too few digits.
  Log1p: always,
  Sin: always,
  Cos: always,
  Selu: always,
  // NaN becomes a number.
  Relu6: always,
  ClipByValue: always,
  Maximum: always,
  Minimum: always,
  Sign: always,
  Pow: always,
  // Integers are taken for floats, lose digits, or stop the program when divided by 0.
  Abs: ofIntegers,
  Neg: ofIntegers,
  FloorDiv: always,
  Mod: always,
  // It reads and writes four bytes for each flag, past the end of its memory.
  Select: ({ t }) => t!.dtype === 'bool',
  Reverse: ({ x }) => x!.dtype === 'bool',
  StridedSlice: ({ x }) => x!.dtype !== 'float32',
  BatchMatMul: isEmpty,
  // Terms are added into one float32, and over no element the result is what lay in memory.
  Sum: isLongSum,
  Softmax: ({ logits }) => logits!.shape.at(-1)! > LONGEST_PLAIN_SOFTMAX,
  // Of a constant row the mean must be the constant, or a normalisation makes something of nothing.
  Mean: always,
  Max: always,
  Min: always,
  Prod: always,
  Any: isEmpty,
  All: isEmpty,
  Cumsum: always,
};

/**
 * Gives a backend every kernel that the `cpu` backend has and it lacks, by computing on the host: the gradients of
 * embeddings and gathers on `wasm` need them, and a slow op is better than a model that cannot be trained. Kernels
 * that are there but wrong are replaced in the cases in which they are wrong.
 */
export function registerKernelFallbacks(backendName: string): void {
  for (const { kernelName } of tf.getKernelsForBackend('cpu')) {
    if (tf.getKernel(kernelName, backendName)) continue;
    tf.registerKernel({ kernelName, backendName, kernelFunc: onHost(kernelName) });
  }
  if (backendName !== 'wasm') return;
  for (const [kernelName, isWrong] of Object.entries(WRONG_ON_WASM)) {
    replaceKernel(kernelName, backendName, isWrong, onHost(kernelName));
  }
}

function replaceKernel(
  kernelName: string,
  backendName: string,
  when: Condition,
  better: tf.KernelFunc,
): void {
  const original = tf.getKernel(kernelName, backendName);
  tf.unregisterKernel(kernelName, backendName);
  tf.registerKernel({
    ...original,
    kernelFunc: (call) =>
      when(call.inputs as Record<string, tf.TensorInfo>, (call.attrs ?? {}) as Record<string, unknown>)
        ? better(call)
        : original.kernelFunc(call),
  });
}

const batchOf = (info: tf.TensorInfo) => info.shape.slice(0, -2);
const sizeOfBatch = (info: tf.TensorInfo) => batchOf(info).reduce((product, extent) => product * extent, 1);

/** Whether leading axes such as [2, 1] and [2, 3] broadcast only in part. */
const broadcastsInPart: Condition = ({ a, b }) =>
  batchOf(a!).join() !== batchOf(b!).join() && sizeOfBatch(a!) > 1 && sizeOfBatch(b!) > 1;

/**
 * TensorFlow.js multiplies batches of shapes such as [2, 1] and [2, 3] into wrong products without a word. Such
 * operands are expanded to their common shape first.
 */
export function expandPartialBroadcasts(backendName: string): void {
  const original = tf.getKernel('BatchMatMul', backendName).kernelFunc;
  replaceKernel('BatchMatMul', backendName, broadcastsInPart, (call) => {
    const { a, b } = call.inputs as unknown as { a: tf.Tensor; b: tf.Tensor };
    const batch = tf.broadcast_util.assertAndGetBroadcastShape(batchOf(a), batchOf(b));
    const widen = (x: tf.Tensor) => tf.broadcastTo(x, [...batch, ...x.shape.slice(-2)]);
    const wide = { a: widen(a), b: widen(b) };
    const result = original({ ...call, inputs: wide as never });
    wide.a.dispose();
    wide.b.dispose();
    return result;
  });
}
