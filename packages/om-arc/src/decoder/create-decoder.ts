import { type AnySequenceModel, createDecoder, type Decoder, type DecoderOptions } from '@palimpsest/lm';
import { type Engine, isOnDevice, type NDArray, runOnce, toHost } from '@palimpsest/tensor-core';
import type { OmConfig } from '../config.js';
import type { OmParams } from '../parameters.js';
import { HostDecoder, type HostState } from './host-decoder.js';
import { HostRoom } from './host-room.js';
import { HostWeights } from './host-weights.js';

/** Texts at least this long are read in whole segments by the graph, whose products use every row of a segment. */
const LONG_TEXT = 4096;

/**
 * A decoder on the processor (DERIVATION.md, "Decoding on the processor") that hands long texts to the compiled `forward`;
 * both have the same memory.
 * @param model without a decoder of its own
 */
export async function createOmDecoder(
  engine: Engine,
  model: AnySequenceModel,
  config: OmConfig,
  params: unknown,
  options: DecoderOptions = {},
): Promise<Decoder> {
  const host = (isOnDevice(params) ? await toHost(params) : params) as OmParams<NDArray>;
  const first = await runOnce(engine, (tree: unknown) => model.initState(tree, 1), params as never);
  const room = new HostRoom(new HostWeights(config, host, options.bits));
  const tokens = new HostDecoder(room, first as unknown as HostState);
  // The graph's weights have 32 bits, and a text reads as the same model however long it is.
  if (options.bits === 8) return tokens;
  const chunks = [16 * config.segmentLen, config.segmentLen];
  const openGraph = () => createDecoder(engine, model, params, { ...options, chunks });
  return new LongTextDecoder(tokens, openGraph);
}

/** Reads long texts with one decoder and everything else with another. */
class LongTextDecoder implements Decoder {
  readonly #tokens: Decoder;
  readonly #openGraph: () => Promise<Decoder>;
  #graph: Decoder | undefined;

  constructor(tokens: Decoder, openGraph: () => Promise<Decoder>) {
    this.#tokens = tokens;
    this.#openGraph = openGraph;
  }

  get stateBytes(): number {
    return this.#tokens.stateBytes;
  }

  async read(ids: ArrayLike<number>): Promise<Float32Array> {
    if (ids.length < LONG_TEXT) return this.#tokens.read(ids);
    this.#graph ??= await this.#openGraph();
    await this.#graph.restore(await this.#tokens.state());
    const logits = await this.#graph.read(ids);
    await this.#tokens.restore(await this.#graph.state());
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
    return new LongTextDecoder(await this.#tokens.fork(), this.#openGraph);
  }

  async dispose(): Promise<void> {
    await this.#graph?.dispose();
    await this.#tokens.dispose();
  }
}
