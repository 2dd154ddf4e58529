import { existsSync } from 'node:fs';
import type { LoraOptions } from '@palimpsest/harness';
import type { Architecture } from '@palimpsest/lm';
import { InputError } from '@palimpsest/tensor-core';
import type { z } from 'zod';
import { isFineTuning } from './fine-tuned.js';

type Values = Readonly<Record<string, unknown>>;

/** Flags of adapters by their options. */
const FLAGS = { rank: 'lora', alpha: 'loraAlpha', targets: 'loraTargets' } as const;

/** The flags of an architecture that can learn by adapters beside weights that others trained. */
export function loraFlags({ lora }: Architecture): z.ZodRawShape {
  if (!lora) return {};
  const { rank, alpha, targets } = lora.shape as Record<keyof typeof FLAGS, z.ZodDefault>;
  return {
    [FLAGS.rank]: withoutDefault(rank).meta({
      description: `with --load FOLDER: train low-rank adapters of this rank beside its weights, which stay as they are (default: ${usual(rank)})`,
      value: 'rank',
      bare: Number(usual(rank)),
    }),
    [FLAGS.alpha]: withoutDefault(alpha).meta({ description: described(alpha) }),
    [FLAGS.targets]: withoutDefault(targets).meta({ description: described(targets), value: 'names' }),
  };
}

const withoutDefault = (type: z.ZodDefault) => (type.unwrap() as z.ZodType).optional();
const usual = (type: z.ZodDefault) => String(type.def.defaultValue);
const described = (type: z.ZodDefault) => `${type.description} (default: ${usual(type)})`;

/**
 * The adapters that were asked for; nothing when none were.
 * @throws InputError for adapters without weights to stand beside, and for their options without them.
 */
export function loraOf(options: Values, asked: ReadonlySet<string>): LoraOptions | undefined {
  const chosen = Object.entries(FLAGS).filter(([, key]) => asked.has(key));
  const first = chosen[0];
  if (!first) return undefined;
  if (!asked.has(FLAGS.rank)) {
    throw new InputError('--lora-alpha and --lora-targets say more about adapters: give --lora too.');
  }
  if (options.load === undefined) {
    throw new InputError(
      '--lora trains adapters beside weights that others trained: name their Hugging Face folder or GGUF file by --load.',
    );
  }
  const load = String(options.load);
  if (!existsSync(load)) throw new InputError(`There is no folder and no file '${load}' (--load).`);
  if (!isFineTuning(options)) {
    throw new InputError(
      `--lora says how adapters begin, but --load ${load} names a run, which goes on as it was begun; leave it away.`,
    );
  }
  return Object.fromEntries(chosen.map(([option, key]) => [option, options[key]]));
}
