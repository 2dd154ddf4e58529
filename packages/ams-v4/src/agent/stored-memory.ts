import type { StoredMemory } from '../conversation/memory-records.js';

/** A stored memory as JSON, beside its text; arrays of numbers are base64. */
export interface PackedMemory {
  readonly form: string;
  readonly ts: number;
  /** Absent in journals of former versions, whose form fits no adapters of this one. */
  readonly directions?: string;
  /** Ids of the tokens that slots stand for; absent without slots. */
  readonly tokens?: readonly number[] | undefined;
  readonly keyValues: string;
  readonly summary?: string | undefined;
}

const base64 = (data: Float32Array | Uint8Array): string =>
  Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64');

const bytesFrom = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'base64'));
const floatsFrom = (text: string): Float32Array => new Float32Array(bytesFrom(text).buffer);

export const packStored = ({
  form,
  ts,
  directions,
  tokens,
  keyValues,
  summary,
}: StoredMemory): PackedMemory => ({
  form,
  ts,
  directions: base64(directions),
  tokens: tokens.length > 0 ? tokens : undefined,
  keyValues: base64(keyValues),
  summary: summary && base64(summary),
});

export const unpackStored = (
  { form, ts, directions = '', tokens = [], keyValues, summary }: PackedMemory,
  text: string,
): StoredMemory => ({
  form,
  text,
  ts,
  tokens,
  directions: bytesFrom(directions),
  keyValues: bytesFrom(keyValues),
  summary: summary === undefined ? undefined : floatsFrom(summary),
});
