import type { EvictingHostForm } from '@palimpsest/backbone';
import { toHost } from '@palimpsest/tensor-core';
import type { HostObserver } from '../../policy/host-observer.js';
import type { ManagedGraphs } from '../graphs.js';
import { PlacePool } from './place-pool.js';

/** What texts that are read token by token on the processor share: the weights there, and the memory. */
export interface HostReader {
  readonly graphs: ManagedGraphs;
  readonly form: EvictingHostForm;
  readonly pool: PlacePool;
  /** Watches there too; absent where the graph does. */
  readonly observer: HostObserver | undefined;
}

/** @returns nothing for models that are read faster by their graphs */
export async function createHostReader(graphs: ManagedGraphs): Promise<HostReader | undefined> {
  const { model, policy, params } = graphs;
  if (!model.hostForm) return undefined;
  const form = model.hostForm(await toHost(params));
  return { graphs, form, pool: new PlacePool(form.kernels), observer: policy.onHost?.(form.kernels) };
}
