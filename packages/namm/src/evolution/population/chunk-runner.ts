import { createTransformer, type Transformer, type TransformerParameters } from '@palimpsest/backbone';
import { disposeTree, type Engine, type ToDevice } from '@palimpsest/tensor-core';
import { ManagedGraphs } from '../../managed/graphs.js';
import { checkSchedule, scheduleOf } from '../../managed/schedule.js';
import { fullPolicy } from '../../policy/full.js';
import type { ChunkOrder, ChunkResult } from './chunk.js';
import { ChunkRun } from './chunk-run.js';
import type { PopulationModel } from './population-model.js';
import { populationPolicy } from './population-policy.js';

/** How texts are read: by members, by members whose features are looked at besides, or with nothing forgotten. */
type Kind = 'full' | 'evolving' | 'collecting';

/** Runs chunks of a model one after the other; graphs are kept between them. */
export class ChunkRunner {
  readonly #engine: Engine;
  readonly #model: PopulationModel;
  readonly #transformer: Transformer;
  readonly #params: ToDevice<TransformerParameters>;
  readonly #graphs = new Map<Kind, ManagedGraphs>();

  /** @param engine stays the caller's */
  constructor(engine: Engine, model: PopulationModel) {
    this.#engine = engine;
    this.#model = model;
    this.#transformer = createTransformer({ ...model.transformer, evictable: true, capacity: 1 });
    this.#params = engine.put(model.params);
  }

  run(order: ChunkOrder): Promise<ChunkResult> {
    const kind = order.vectors === 'full' ? 'full' : order.collect ? 'collecting' : 'evolving';
    return new ChunkRun(
      {
        config: this.#model.config,
        schedule: checkSchedule(scheduleOf(this.#model.config)),
        watched: this.#graphsOf(kind),
        unwatched: this.#graphsOf('full'),
      },
      order,
    ).run();
  }

  async dispose(): Promise<void> {
    await Promise.all([...this.#graphs.values()].map((graphs) => graphs.release()));
    this.#graphs.clear();
    disposeTree(this.#params);
  }

  #graphsOf(kind: Kind): ManagedGraphs {
    const known = this.#graphs.get(kind);
    if (known) return known;
    const policy =
      kind === 'full' ? fullPolicy() : populationPolicy(this.#model.config, kind === 'collecting');
    const graphs = new ManagedGraphs(this.#engine, this.#transformer, policy, this.#params);
    this.#graphs.set(kind, graphs);
    return graphs;
  }
}
