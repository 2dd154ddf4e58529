import { type Engine, isOnDevice, toHost } from '@palimpsest/tensor-core';
import type { AnySequenceModel } from '../sequence-model.js';
import type { Decoder, DecoderOptions } from './decoder.js';
import { type HostForm, HostFormDecoder } from './host-form-decoder.js';
import { LongTextDecoder } from './long-text-decoder.js';
import { StepDecoder } from './step-decoder.js';

/** Texts at least this long are read in pieces by the graph, whose products use every row of a piece. */
const LONG_TEXT = 128;
/** Tokens of a piece, largest first: 512 tokens of a small GPT take 57 ms in pieces of 64 and 34 in pieces of 256. */
const PIECES = [256, 64];

/**
 * A decoder on the processor that hands long texts to the model's compiled `forward`; both have the same memory.
 * @param model its `forward` and `initState`; a decoder of its own is left alone
 * @param makeForm places parameters, which are on the host, for the processor
 */
export async function createHostDecoder(
  engine: Engine,
  model: AnySequenceModel,
  params: unknown,
  makeForm: (params: unknown) => HostForm,
  options: DecoderOptions = {},
): Promise<Decoder> {
  const form = makeForm(isOnDevice(params) ? await toHost(params) : params);
  const tokens = await HostFormDecoder.create(engine, model, params, form);
  const { longestPiece = Number.POSITIVE_INFINITY } = model;
  const chunks = PIECES.filter((size) => size <= longestPiece);
  if (chunks.length === 0) return tokens;
  return LongTextDecoder.create(tokens, { longText: LONG_TEXT, segmentLen: chunks.at(-1)! }, () =>
    StepDecoder.create(engine, model, params, { ...options, chunks }),
  );
}
