import type { StoredMemory } from '../conversation/memory-records.js';

/** A stored memory as JSON; arrays of numbers are base64. */
export interface PackedMemory {
  readonly form: string;
  readonly text: string;
  readonly ts: number;
  readonly time: string;
  readonly topic: string;
  readonly ctx: string;
  readonly tokens: readonly number[];
  readonly keyValues: string;
  readonly summary: string;
}

const base64 = (data: Float32Array | Uint8Array): string =>
  Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64');

const bytesFrom = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'base64'));
const floatsFrom = (text: string): Float32Array => new Float32Array(bytesFrom(text).buffer);

export function packStored({
  form,
  text,
  ts,
  directions,
  tokens,
  keyValues,
  summary,
}: StoredMemory): PackedMemory {
  return {
    form,
    text,
    ts,
    time: base64(directions.time),
    topic: base64(directions.topic),
    ctx: base64(directions.ctx),
    tokens,
    keyValues: base64(keyValues),
    summary: base64(summary),
  };
}

export function unpackStored(packed: PackedMemory): StoredMemory {
  const { form, text, ts, tokens } = packed;
  return {
    form,
    text,
    ts,
    tokens,
    directions: {
      time: floatsFrom(packed.time),
      topic: floatsFrom(packed.topic),
      ctx: floatsFrom(packed.ctx),
    },
    keyValues: bytesFrom(packed.keyValues),
    summary: floatsFrom(packed.summary),
  };
}
