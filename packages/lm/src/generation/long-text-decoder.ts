import type { Decoder } from './decoder.js';

/** A decoder that knows how much of a segment it has read. */
export interface SegmentDecoder extends Decoder {
  /** Tokens in the open segment; 0 where pieces of a text may begin anywhere. */
  readonly position: number;
  fork(): Promise<SegmentDecoder>;
}

/** A decoder by graphs, opened at the first long text and shared by all that were forked from one decoder. */
class SharedGraph {
  #users = 0;
  #graph: Promise<Decoder> | undefined;
  /** Tokens of texts that came before the graph was there. */
  #missed = 0;
  /** The reading before, since all use one memory: each puts its own there and takes the new one away. */
  #before: Promise<unknown> = Promise.resolve();

  constructor(private readonly open: () => Promise<Decoder>) {}

  /** Whether a text is read here: the graph is opened when the texts that it would have read would have paid for it. */
  takes(count: number, { longText, longBesideGraph = longText }: Lengths): boolean {
    if (count < longBesideGraph) return false;
    if (!this.#graph) this.#missed += count;
    return this.#missed >= longText;
  }

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

interface Lengths {
  /** Tokens from which a text is long. */
  readonly longText: number;
  /**
   * Tokens from which a text is long once the graph is there. It is opened when texts of that length have as many tokens
   * together as one long text. Default: the same as `longText`
   */
  readonly longBesideGraph?: number;
  /** Tokens of a segment: those that are read at once. */
  readonly segmentLen: number;
}

/** Reads the whole segments of long texts with one decoder, and everything else with another; both have the same memory. */
export class LongTextDecoder implements SegmentDecoder {
  readonly #tokens: SegmentDecoder;
  readonly #lengths: Lengths;
  readonly #graph: SharedGraph;

  private constructor(tokens: SegmentDecoder, lengths: Lengths, graph: SharedGraph) {
    this.#tokens = tokens;
    this.#lengths = lengths;
    this.#graph = graph;
    graph.take();
  }

  /** @param open the decoder of whole segments */
  static create(tokens: SegmentDecoder, lengths: Lengths, open: () => Promise<Decoder>): LongTextDecoder {
    return new LongTextDecoder(tokens, lengths, new SharedGraph(open));
  }

  get position(): number {
    return this.#tokens.position;
  }

  get stateBytes(): number {
    return this.#tokens.stateBytes;
  }

  async read(ids: ArrayLike<number>): Promise<Float32Array> {
    const { segmentLen } = this.#lengths;
    if (!this.#graph.takes(ids.length, this.#lengths)) return this.#tokens.read(ids);
    // A piece across a border would be computed twice, once for each of its segments.
    const begin = (segmentLen - this.position) % segmentLen;
    const end = ids.length - ((ids.length - begin) % segmentLen);
    const all = Int32Array.from(ids);
    if (begin > 0) await this.#tokens.read(all.subarray(0, begin));
    const { logits, state } = await this.#graph.read(all.subarray(begin, end), await this.#tokens.state());
    await this.#tokens.restore(state);
    return end < all.length ? this.#tokens.read(all.subarray(end)) : logits;
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

  async fork(): Promise<LongTextDecoder> {
    return new LongTextDecoder(await this.#tokens.fork(), this.#lengths, this.#graph);
  }

  async dispose(): Promise<void> {
    await this.#tokens.dispose();
    await this.#graph.give();
  }
}
