import { tf } from '../tf.js';

type HostBackend = InstanceType<typeof tf.KernelBackend> & {
  readSync(dataId: object): tf.BackendValues;
  write(values: tf.BackendValues, shape: number[], dtype: tf.DataType): object;
  disposeData(dataId: object, force?: boolean): boolean;
};

/**
 * Gives a backend every kernel that the `cpu` backend has and it lacks, by computing on the host: the gradients of
 * embeddings and gathers on `wasm` need them, and a slow op is better than a model that cannot be trained.
 */
export function registerKernelFallbacks(backendName: string): void {
  const cpu = tf.engine().findBackend('cpu') as HostBackend;
  for (const { kernelName, kernelFunc } of tf.getKernelsForBackend('cpu')) {
    if (tf.getKernel(kernelName, backendName)) continue;
    tf.registerKernel({
      kernelName,
      backendName,
      kernelFunc: ({ inputs, attrs, backend }) => {
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
      },
    });
  }
}
