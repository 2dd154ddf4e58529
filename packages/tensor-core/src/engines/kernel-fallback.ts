import { tf } from '../tf.js';

type HostBackend = InstanceType<typeof tf.KernelBackend> & {
  readSync(dataId: object): tf.BackendValues;
  write(values: tf.BackendValues, shape: number[], dtype: tf.DataType): object;
  disposeData(dataId: object, force?: boolean): boolean;
};

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
    const result = kernelFunc({ inputs: hostInputs as never, attrs, backend: cpu });
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

/** Kernels of the wasm backend that give wrong values, and when (found by the conformance suite). */
const WRONG_ON_WASM: Record<string, Condition> = {
  Cast: (_inputs, { dtype }) => dtype === 'bool',
  // It writes the bits of an integer 1 into a float tensor.
  OneHot: (_inputs, { dtype }) => dtype === 'float32',
  GatherV2: (_inputs, { batchDims }) => Number(batchDims ?? 0) > 0,
  Prelu: ({ x, alpha }) => x!.shape.join() !== alpha!.shape.join(),
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
