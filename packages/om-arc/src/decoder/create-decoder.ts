import {
  type AnySequenceModel,
  countParameters,
  createDecoder,
  type Decoder,
  type DecoderOptions,
  LongTextDecoder,
} from '@palimpsest/lm';
import { type Engine, isOnDevice, type NDArray, runOnce, toHost } from '@palimpsest/tensor-core';
import type { OmConfig } from '../config.js';
import type { OmParams } from '../parameters.js';
import { HostDecoder, type HostState } from './host-decoder.js';
import { HostRoom } from './host-room.js';
import { HostWeights } from './host-weights.js';

/**
 * A text is read by the graph from this many parameters of layers times tokens on. Its products use every row of a segment, but
 * building it takes 0.5 to 1 s, in which the processor reads as much: 4,000 tokens take 0.07 s with 100,000 parameters, 4 s
 * with 8 million, where the graph needs 1.2 s. It reads one segment at a time, since a graph of sixteen takes 2 to 15 s to
 * build and is faster afterwards by a fifth.
 */
const GRAPH_PAYS = 1e10;
/** From this size on the graph, once it is there, is the faster one for any text of two segments. */
const GRAPH_IS_FASTER = 2e6;

/**
 * A decoder on the processor (DERIVATION.md, "Decoding on the processor") that hands long texts to the compiled `forward`.
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
  const { segmentLen } = config;
  const size = countParameters(host.layers);
  const longText = Math.max(2 * segmentLen, Math.ceil(GRAPH_PAYS / size));
  const longBesideGraph = size < GRAPH_IS_FASTER ? longText : 2 * segmentLen;
  return LongTextDecoder.create(tokens, { longText, longBesideGraph, segmentLen }, () =>
    createDecoder(engine, model, params, { ...options, chunks: [segmentLen] }),
  );
}
