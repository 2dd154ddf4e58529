import type { Decoder } from '@palimpsest/lm';

/** A decoder by graphs, opened at the first long text and shared by all that were forked from one decoder. */
class SharedGraph {
  #users = 0;
  #graph: Promise<Decoder> | undefined;
  /** The reading before, since all use one memory: each puts its own there and takes the new one away. */
  #before: Promise<unknown> = Promise.resolve();

  constructor(private readonly open: () => Promise<Decoder>) {}

  take(): void {
    this.#users += 1;
  }

  async give(): Promise<void> {
    this.#users -= 1;
    if (this.#users === 0) await (await this.#graph)?.dispose();
  }

  /** Goes on from a memory. */
  read(ids: ArrayLike<number>, state: unknown): Promise<{ logits: Float32Array; state: unknown }> {
    const reading = this.#before.then(async () => {
      this.#graph ??= this.open();
      const graph = await this.#graph;
      await graph.restore(state);
      return { logits: await graph.read(ids), state: await graph.state() };
    });
    // Who comes next waits for the end of this one, good or bad.
    this.#before = reading.catch(() => undefined);
    return reading;
  }
}

/** Reads long texts with one decoder, and everything else with another; both have the same memory. */
export class LongTextDecoder implements Decoder {
  readonly #tokens: Decoder;
  readonly #longText: number;
  readonly #graph: SharedGraph;

  private constructor(tokens: Decoder, longText: number, graph: SharedGraph) {
    this.#tokens = tokens;
    this.#longText = longText;
    this.#graph = graph;
    graph.take();
  }

  /**
   * @param longText tokens from which a text is long
   * @param open the decoder of long texts
   */
  static create(tokens: Decoder, longText: number, open: () => Promise<Decoder>): LongTextDecoder {
    return new LongTextDecoder(tokens, longText, new SharedGraph(open));
  }

  get stateBytes(): number {
    return this.#tokens.stateBytes;
  }

  async read(ids: ArrayLike<number>): Promise<Float32Array> {
    if (ids.length < this.#longText) return this.#tokens.read(ids);
    const { logits, state } = await this.#graph.read(ids, await this.#tokens.state());
    await this.#tokens.restore(state);
    return logits;
  }

  state(): Promise<unknown> {
    return this.#tokens.state();
  }

  restore(state: unknown): Promise<void> {
    return this.#tokens.restore(state);
  }

  get compact(): Decoder['compact'] {
    return this.#tokens.compact;
  }

  reset(): Promise<void> {
    return this.#tokens.reset();
  }

  async fork(): Promise<Decoder> {
    return new LongTextDecoder(await this.#tokens.fork(), this.#longText, this.#graph);
  }

  async dispose(): Promise<void> {
    await this.#tokens.dispose();
    await this.#graph.give();
  }
}
