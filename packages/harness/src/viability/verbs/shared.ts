import { existsSync, readFileSync } from 'node:fs';
import { TextModel } from '@palimpsest/ams-v4';
import { loadPretrained } from '@palimpsest/backbone';
import { parseJson } from '@palimpsest/base';
import { outputOptions, threadsOption } from '@palimpsest/lm';
import { createEngine, InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { LARGE_PACK, largePack, UNSEEN_PACK, unseenPack } from '../large-pack.js';
import { type Pack, parsePack, standardPack } from '../pack.js';
import { loadPocket } from '../pocket.js';

/** The small model that comes with this package, where nothing else stands at its name. */
const SESSION = 'session';

export const shared = {
  ...outputOptions,
  model: z.string().describe('checkpoint of the language model, or session for the small one that ships'),
  capacity: z.int().min(64).default(2560).describe('tokens that the language model keeps at most'),
  pack: z
    .string()
    .optional()
    .describe(
      `file of who, what and in which words, or ${LARGE_PACK} for one of made-up names that is enough for 5,000 facts, ${UNSEEN_PACK} for the people of the house and things that nobody has read of; default that of the house`,
    ),
  threads: threadsOption,
};

/** Another name of `--model`, where it is the frozen part of something larger. */
export const backboneAliases = { model: ['backbone'] };

export function packOf(path: string | undefined): Pack {
  if (path === undefined) return standardPack();
  if (path === LARGE_PACK && !existsSync(path)) return largePack();
  if (path === UNSEEN_PACK && !existsSync(path)) return unseenPack();
  if (!existsSync(path)) throw new InputError(`There is no pack '${path}'.`);
  return parsePack(parseJson(readFileSync(path), path), path);
}

/** Whether a name means the small model that comes with this package. */
export const isShipped = (model: string): boolean => model === SESSION && !existsSync(model);

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
  const engine = await createEngine('auto', { threads });
  try {
    const frozen = isShipped(model)
      ? (await loadPocket(undefined, capacity)).frozen
      : await loadPretrained(model, { capacity });
    return { engine, text: new TextModel(engine, frozen) };
  } catch (error) {
    await engine.dispose();
    throw error;
  }
}
