import type { Engine } from '@palimpsest/tensor-core';
import type { PopulationReply, PopulationRequest, PopulationRunner } from '../trial.js';
import { assemble, type ChunkResult, orderOf, planChunks } from './chunk.js';
import { ChunkRunner } from './chunk-runner.js';
import type { PopulationModel } from './population-model.js';

/** Lets members stand their trials in this process, batch after batch. */
export class InProcessRunner implements PopulationRunner {
  readonly #model: PopulationModel;
  readonly #runner: ChunkRunner;

  /** @param engine stays the caller's */
  constructor(engine: Engine, model: PopulationModel) {
    this.#model = model;
    this.#runner = new ChunkRunner(engine, model);
  }

  async run(request: PopulationRequest, signal?: AbortSignal): Promise<PopulationReply> {
    const chunks = planChunks(request, this.#model.rows);
    const results: ChunkResult[] = [];
    for (const chunk of chunks) {
      signal?.throwIfAborted();
      results.push(await this.#runner.run(orderOf(request, chunk)));
    }
    signal?.throwIfAborted();
    return assemble(request, chunks, results);
  }

  async dispose(): Promise<void> {
    await this.#runner.dispose();
  }
}
