// A worker of its own process: `node worker.mjs '<options as JSON>'`. Prints what happens, a line each.
import { ResultStore, runQueueWorker } from '../../../../dist/index.js';
import { registry } from '../../../cells/support/toy-registry.mjs';

const { folder, ...options } = JSON.parse(process.argv[2]);
const abort = new AbortController();
process.once('SIGTERM', () => abort.abort());
const finished = await runQueueWorker({
  registry,
  registryModule: new URL('../../../cells/support/toy-registry.mjs', import.meta.url).href,
  store: await ResultStore.open(folder),
  signal: abort.signal,
  onEvent: (event) => console.log(event.type, event.cell?.spec.seed ?? event.reason ?? event.workers),
  ...options,
});
console.log('finished', finished);
