import { parseJson } from '@palimpsest/base';
import {
  decodeSafetensors,
  encodeSafetensors,
  fromNDArray,
  InputError,
  type NDArray,
  type RngState,
  type SafeTensor,
  toNDArray,
} from '@palimpsest/tensor-core';
import { z } from 'zod';

const FORMAT = 'palimpsest-session';
const VERSION = 1;
const STATE = 'state.';

/** Everything that a session needs to go on elsewhere: a few kilobytes to megabytes, however long the text was. */
export interface SessionSnapshot {
  /** Which model the memory belongs to: its name and configuration as canonical JSON. */
  readonly model: string;
  /** Which parameters it belongs to, when the session was told, as in the checksum of a checkpoint. */
  readonly parametersId?: string | undefined;
  /** Tokens read so far. */
  readonly position: number;
  /** The latest tokens, which penalties look at. */
  readonly history: readonly number[];
  readonly rng: RngState;
  /** Memory after the last token, by path. */
  readonly state: Readonly<Record<string, NDArray>>;
  /** The memory is in the model's smaller form. */
  readonly compact?: boolean | undefined;
  /** Logits after the last token; absent before the first. */
  readonly logits?: Float32Array | undefined;
}

const metadataSchema = z.object({
  model: z.string(),
  parametersId: z.string().optional(),
  compact: z.boolean().optional(),
  position: z.int().min(0),
  history: z.array(z.int().min(0)),
  rng: z.array(z.int()),
});

/** A snapshot as the bytes of a safetensors file. */
export function encodeSnapshot(snapshot: SessionSnapshot): Uint8Array {
  const { state, logits, ...session } = snapshot;
  const tensors = Object.fromEntries(
    Object.entries(state).map(([path, array]) => [STATE + path, fromNDArray(array)]),
  );
  if (logits) tensors.logits = { dtype: 'F32', shape: [logits.length], data: logits };
  return encodeSafetensors(tensors, {
    format: FORMAT,
    version: String(VERSION),
    session: JSON.stringify(session),
  });
}

/**
 * Reads a snapshot.
 * @param source name for messages, such as the file's path.
 * @throws InputError for a torn or foreign file, or one of a newer format.
 */
export function decodeSnapshot(bytes: Uint8Array, source = 'This data'): SessionSnapshot {
  const { tensors, metadata } = decodeSafetensors(bytes, source);
  if (metadata.format !== FORMAT) {
    throw new InputError(
      `${source} is not a saved session: its format is '${metadata.format ?? 'unknown'}', expected '${FORMAT}'.`,
    );
  }
  if (metadata.version !== String(VERSION)) {
    throw new InputError(
      `${source} is a session of format version ${metadata.version}, but this program reads version ${VERSION}; update it.`,
    );
  }
  const about = parseJson(metadata.session ?? 'null', `The description of the saved session in ${source}`);
  const parsed = metadataSchema.safeParse(about);
  if (!parsed.success) {
    const where = parsed.error.issues[0]?.path.join('.');
    throw new InputError(
      `${source} is a saved session without valid data about it${where ? `: '${where}' is not what it should be` : ''}.`,
    );
  }
  const { parametersId, compact, ...session } = parsed.data;
  const state: Record<string, NDArray> = {};
  for (const [name, tensor] of tensors) {
    if (name.startsWith(STATE)) state[name.slice(STATE.length)] = numbersOf(tensor, name, source);
  }
  const saved = tensors.get('logits');
  const logits = saved && numbersOf(saved, 'logits', source).data;
  if (saved && !(logits instanceof Float32Array)) {
    throw new InputError(`${source} is a saved session whose logits are ${saved.dtype}, expected F32.`);
  }
  return {
    ...session,
    parametersId,
    compact,
    state,
    logits: logits instanceof Float32Array ? logits : undefined,
  };
}

/** An array of a session. Infinities are kept: the logits of tokens that a model never gives are -Infinity. */
function numbersOf(tensor: SafeTensor, name: string, source: string): NDArray {
  const array = toNDArray(tensor, `${source}: ${name}`);
  if (array.data.some((value) => Number.isNaN(value))) {
    throw new InputError(`${source} is a saved session whose '${name}' holds values that are no numbers.`);
  }
  return array;
}
