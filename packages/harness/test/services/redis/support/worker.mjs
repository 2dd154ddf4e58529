// A worker of its own process: `node worker.mjs '<options as JSON>'`. Prints what happens, a line each.
import { fileURLToPath } from 'node:url';
import { ResultStore, registryWith, runQueueWorker } from '../../../../dist/index.js';

const plugins = [fileURLToPath(new URL('../../../cells/support/toy-mechanism.mjs', import.meta.url))];
const { folder, ...options } = JSON.parse(process.argv[2]);
const abort = new AbortController();
process.once('SIGTERM', () => abort.abort());
const finished = await runQueueWorker({
  registry: await registryWith(plugins),
  plugins,
  store: await ResultStore.open(folder),
  signal: abort.signal,
  onEvent: (event) => console.log(event.type, event.cell?.spec.seed ?? event.reason ?? event.workers),
  ...options,
});
console.log('finished', finished);
