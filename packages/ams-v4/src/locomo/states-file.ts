import {
  fnv1a,
  hex32,
  nodeModule,
  readSafetensors,
  type SafeTensor,
  writeSafetensors,
} from '@palimpsest/base';
import { InputError } from '@palimpsest/tensor-core';
import { type LongConversation, saidIn } from './read-locomo.js';
import type { ConversationParts } from './whitened.js';

const SIDES = ['turns', 'questions'] as const;

/** By what states are known to belong to conversations. */
const markOf = (conversations: readonly LongConversation[]): string =>
  hex32(
    fnv1a(
      new TextEncoder().encode(
        JSON.stringify(conversations.map((one) => [saidIn(one), one.questions.map(({ text }) => text)])),
      ),
    ),
  );

/** Keeps what a model made of conversations, so that it is made once. */
export async function saveStates(
  path: string,
  conversations: readonly LongConversation[],
  parts: readonly ConversationParts[],
): Promise<void> {
  const tensors: Record<string, SafeTensor> = {};
  for (const [one, own] of parts.entries())
    for (const side of SIDES)
      for (const [part, rows] of own[side].entries()) {
        const width = rows[0]?.length ?? 0;
        const data = new Float32Array(rows.length * width);
        rows.forEach((row, at) => {
          data.set(row, at * width);
        });
        tensors[`${one}.${side}.${part}`] = { data, shape: [rows.length, width], dtype: 'F32' };
      }
  await writeSafetensors(path, tensors, { conversations: markOf(conversations) });
}

/**
 * Reads what `saveStates` kept; nothing where there is no such file.
 * @throws InputError for a file of other conversations.
 */
export async function loadStates(
  path: string,
  conversations: readonly LongConversation[],
): Promise<ConversationParts[] | undefined> {
  if (!nodeModule('node:fs').existsSync(path)) return undefined;
  const { tensors, metadata } = await readSafetensors(path);
  if (metadata?.conversations !== markOf(conversations)) {
    throw new InputError(`'${path}' holds states of other conversations; give another file as --states.`);
  }
  const rowsOf = (name: string): Float32Array[] | undefined => {
    const found = tensors.get(name);
    if (!(found?.data instanceof Float32Array)) return undefined;
    const { data } = found;
    const [count, width] = found.shape as [number, number];
    return Array.from({ length: count }, (_, row) => data.slice(row * width, (row + 1) * width));
  };
  return conversations.map((_, one) => {
    const side = (name: (typeof SIDES)[number]) => {
      const parts: Float32Array[][] = [];
      for (let rows = rowsOf(`${one}.${name}.0`); rows; rows = rowsOf(`${one}.${name}.${parts.length}`))
        parts.push(rows);
      return parts;
    };
    return { turns: side('turns'), questions: side('questions') };
  });
}
