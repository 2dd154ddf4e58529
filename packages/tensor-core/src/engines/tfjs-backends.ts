import { EngineError } from '@palimpsest/base';
import { tf } from '../tf.js';
import { registerGradients } from './gradients.js';
import { registerHostKernels } from './host-kernels.js';
import { expandPartialBroadcasts, registerKernelFallbacks } from './kernel-fallback.js';

/** Makes sure that a TensorFlow.js backend is initialised and stays ready for synchronous switches. */
export async function initialise(backend: string): Promise<void> {
  const engine = tf.engine();
  const former = engine.backendName;
  const ready = await engine.setBackend(backend);
  if (former && former !== backend) await engine.setBackend(former);
  if (!ready) throw new EngineError(`the TensorFlow.js backend '${backend}' did not start`);
}

const prepared = new Map<string, Promise<string>>();

/** Prepares a backend once, however many engines ask for it at the same time. */
function once(backend: string, prepare: () => Promise<string>): Promise<string> {
  const known = prepared.get(backend);
  if (known) return known;
  const made = prepare();
  prepared.set(backend, made);
  made.catch(() => prepared.delete(backend));
  return made;
}

/** Prepares the `cpu` backend and gives TensorFlow.js' version. */
export const prepareCpu = () => once('cpu', startCpu);

/** Prepares the `wasm` backend with the kernels that it lacks. */
export const prepareWasm = () => once('wasm', startWasm);

async function startCpu(): Promise<string> {
  registerGradients();
  await initialise('cpu');
  // Without this the backend prints an advertisement for tfjs-node into every program's output.
  (tf.engine().findBackend('cpu') as unknown as { firstUse: boolean }).firstUse = false;
  registerHostKernels();
  expandPartialBroadcasts('cpu');
  return tf.version_core;
}

async function startWasm(): Promise<string> {
  await prepareCpu();
  await serveLocalFiles();
  tf.setWasmPaths(new URL('./', tf.bundleUrl).href);
  await initialise('wasm');
  registerKernelFallbacks('wasm');
  expandPartialBroadcasts('wasm');
  return tf.version_core;
}

let served = false;

/** Lets the wasm backend read its binary from disk: Node's fetch does not open files. */
async function serveLocalFiles(): Promise<void> {
  if (served || !globalThis.process?.versions?.node) return;
  served = true;
  const { readFile } = await import('node:fs/promises');
  const platform = tf.env().platform as { fetch: (path: string, init?: unknown) => Promise<unknown> };
  const fetchRemote = platform.fetch.bind(platform);
  platform.fetch = async (path, init) => {
    if (!String(path).startsWith('file:')) return fetchRemote(path, init);
    return new Response(await readFile(new URL(path)), { headers: { 'content-type': 'application/wasm' } });
  };
}
