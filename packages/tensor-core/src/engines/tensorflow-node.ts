import { platform } from '#platform';
import { tf } from '../tf.js';
import { registerKernelFallbacks } from './kernel-fallback.js';
import { initialise, prepareCpu } from './tfjs-backends.js';

/**
 * Loads `@tensorflow/tfjs-node` or its GPU twin when the user has installed it.
 * @throws when the package or its native library is missing.
 */
export async function loadTensorflowNode(packageName: string): Promise<string> {
  await prepareCpu();
  const module = await keepingRegistries(() => platform.importTensorflow(packageName));
  await initialise('tensorflow');
  registerKernelFallbacks('tensorflow');
  return module.version?.['tfjs-node'] ?? module.version?.['tfjs-node-gpu'] ?? '4.x';
}

/**
 * The package brings TensorFlow.js a second time, whose kernels of the `cpu` backend and whose gradients would take the place
 * of those that stand in the registries, mended ones included.
 */
async function keepingRegistries<T>(load: () => Promise<T>): Promise<T> {
  const kernels = tf.getKernelsForBackend('cpu');
  const gradients = kernels.flatMap(({ kernelName }) => tf.getGradient(kernelName) ?? []);
  const environment = tf.env();
  const wasQuiet = environment.getBool('PROD');
  environment.set('PROD', true); // Every kernel that is registered twice would be told.
  try {
    return await load();
  } finally {
    for (const kernel of kernels) {
      tf.unregisterKernel(kernel.kernelName, kernel.backendName);
      tf.registerKernel(kernel);
    }
    for (const gradient of gradients) tf.registerGradient(gradient);
    environment.set('PROD', wasQuiet);
  }
}
