import { EngineError } from '@palimpsest/base';
import { platform } from '#platform';
import { tf } from '../tf.js';
import { assetFolder } from './asset-folder.js';
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

/** Prepares the `wasm` backend with the kernels that it lacks. @param assets address of the folder of its binary */
export const prepareWasm = (assets?: string | URL) => once('wasm', () => startWasm(assets));

async function startCpu(): Promise<string> {
  registerGradients();
  await initialise('cpu');
  // Without this the backend prints an advertisement for tfjs-node into every program's output.
  (tf.engine().findBackend('cpu') as unknown as { firstUse: boolean }).firstUse = false;
  registerHostKernels();
  expandPartialBroadcasts('cpu');
  return tf.version_core;
}

const BINARY = 'tfjs-backend-wasm-simd.wasm';

async function startWasm(assets: string | URL | undefined): Promise<string> {
  await prepareCpu();
  const address = assets === undefined ? platform.wasmBinary() : `${assetFolder(assets)}${BINARY}`;
  const binary = await readBinary(address);
  // The backend would ask for a build with threads on pages that are isolated from other origins.
  tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
  if (!(await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT')))
    throw new EngineError('WebAssembly has no SIMD here');
  const builds = ['tfjs-backend-wasm.wasm', BINARY, 'tfjs-backend-wasm-threaded-simd.wasm'];
  tf.setWasmPaths(Object.fromEntries(builds.map((build) => [build, address])), true);
  await fetching(binary, () => initialise('wasm'));
  registerKernelFallbacks('wasm');
  expandPartialBroadcasts('wasm');
  return tf.version_core;
}

/** Lets the backend have what was read: it says nothing useful about what it cannot fetch. */
async function fetching(binary: ArrayBuffer, start: () => Promise<void>): Promise<void> {
  const host = tf.env().platform;
  const { fetch } = host;
  host.fetch = async () => new Response(binary);
  try {
    await start();
  } finally {
    host.fetch = fetch;
  }
}

/** The first bytes of every WASM binary: a server that lacks the file often answers with a page. */
const MAGIC = '\0asm';

/** @throws EngineError when there is no binary at the address. */
async function readBinary(address: string): Promise<ArrayBuffer> {
  const refuse = (what: string) => new EngineError(`${address} ${what}`);
  const read = async () => {
    if (platform.readFile && address.startsWith('file:')) return platform.readFile(new URL(address));
    const response = await fetch(address);
    if (!response.ok) throw refuse(`answers ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  };
  const bytes = await read().catch((error: unknown) => {
    throw error instanceof EngineError ? error : refuse(`cannot be read (${(error as Error).message})`);
  });
  if (String.fromCharCode(...bytes.subarray(0, MAGIC.length)) !== MAGIC) throw refuse('is no WASM binary');
  return bytes.buffer;
}
