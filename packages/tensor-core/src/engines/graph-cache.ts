/** Something that is built once, used often and costs memory while it is kept. */
export interface Graph {
  /** What it holds between two uses. */
  readonly bytes: number;
  release(): Promise<void>;
}

/** The graphs of one compiled function, by signature. */
export type GraphTable<G extends Graph> = Map<string, Slot<G>>;

/** The place of one graph, from before it is built until it is released. */
interface Slot<G extends Graph> {
  readonly table: GraphTable<G>;
  readonly key: string;
  readonly graph: Promise<G>;
  /** The graph once it is built. */
  built?: G;
  /** Uses that have begun and not ended; a graph is never released under them. */
  users: number;
  /** Nobody finds the graph any more; the last user releases it. */
  isClosed: boolean;
}

/**
 * Keeps the graphs that were used last, up to a number of bytes. Those that were not used for the longest time are released,
 * and built anew when they are asked for again. A graph in use stays, and so does the one used last, however large it is.
 */
export class GraphCache<G extends Graph> {
  /** From the one that was not used for the longest time to the one used last. */
  readonly #slots = new Set<Slot<G>>();
  #bytes = 0;
  #count = 0;

  /** @param limit bytes */
  constructor(private readonly limit: number) {}

  /** Graphs kept. */
  get count(): number {
    return this.#count;
  }

  /** What they hold. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Runs an action with the graph of a signature, which is built when it is not there. */
  async use<T>(
    table: GraphTable<G>,
    key: string,
    build: () => Promise<G>,
    action: (graph: G) => Promise<T>,
  ): Promise<T> {
    const slot = table.get(key) ?? this.#open(table, key, build);
    slot.users += 1;
    this.#slots.delete(slot);
    this.#slots.add(slot);
    try {
      const graph = await slot.graph;
      await this.#shrink();
      return await action(graph);
    } finally {
      slot.users -= 1;
      if (slot.isClosed) await this.#releaseIdle(slot);
      else await this.#shrink();
    }
  }

  /** Releases the graphs of one function; those in use when their use ends. */
  async clear(table: GraphTable<G>): Promise<void> {
    for (const slot of [...table.values()]) await this.#close(slot);
  }

  /** Releases all graphs. */
  async clearAll(): Promise<void> {
    for (const slot of [...this.#slots]) await this.#close(slot);
  }

  #open(table: GraphTable<G>, key: string, build: () => Promise<G>): Slot<G> {
    const slot: Slot<G> = { table, key, graph: build(), users: 0, isClosed: false };
    table.set(key, slot);
    slot.graph.then(
      (graph) => {
        slot.built = graph;
        this.#count += 1;
        this.#bytes += graph.bytes;
      },
      () => this.#forget(slot),
    );
    return slot;
  }

  /** Releases idle graphs, those not used for the longest time first, until the rest keeps to the limit. */
  async #shrink(): Promise<void> {
    const slots = [...this.#slots];
    slots.pop();
    for (const slot of slots) {
      if (this.#bytes <= this.limit) return;
      if (slot.users === 0 && slot.built) await this.#close(slot);
    }
  }

  async #close(slot: Slot<G>): Promise<void> {
    slot.isClosed = true;
    this.#forget(slot);
    await this.#releaseIdle(slot);
  }

  #forget(slot: Slot<G>): void {
    this.#slots.delete(slot);
    if (slot.table.get(slot.key) === slot) slot.table.delete(slot.key);
  }

  async #releaseIdle(slot: Slot<G>): Promise<void> {
    const graph = slot.built;
    if (!graph || slot.users > 0) return;
    delete slot.built;
    this.#count -= 1;
    this.#bytes -= graph.bytes;
    await graph.release();
  }
}
