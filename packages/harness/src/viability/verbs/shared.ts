import { existsSync, readFileSync } from 'node:fs';
import { TextModel } from '@palimpsest/ams-v4';
import { loadPretrained } from '@palimpsest/backbone';
import { createEngine, InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { type Pack, parsePack, standardPack } from '../pack.js';

export const printing = {
  json: z.boolean().default(false).describe('print one JSON document'),
  quiet: z.boolean().default(false).describe('no remarks'),
};

export const shared = {
  ...printing,
  model: z.string().describe('checkpoint of the language model'),
  capacity: z.int().min(64).default(2560).describe('tokens that the language model keeps at most'),
  pack: z.string().optional().describe('file of who, what and in which words; default that of the house'),
  threads: z.int().min(1).optional().describe('threads of the engine'),
};

export function packOf(path: string | undefined): Pack {
  if (path === undefined) return standardPack();
  if (!existsSync(path)) throw new InputError(`There is no pack '${path}'.`);
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new InputError(`${path} is not JSON: ${(error as Error).message}.`);
  }
  return parsePack(json, path);
}

/** The fastest engine with so many threads, or with its own number. */
export const engineWith = (threads: number | undefined) =>
  createEngine('auto', threads === undefined ? {} : { threads });

/** The language model of a checkpoint on an engine of its own. */
export async function open({
  model,
  capacity,
  threads,
}: {
  model: string;
  capacity: number;
  threads?: number | undefined;
}) {
  const engine = await engineWith(threads);
  try {
    return { engine, text: new TextModel(engine, await loadPretrained(model, { capacity })) };
  } catch (error) {
    await engine.dispose();
    throw error;
  }
}
