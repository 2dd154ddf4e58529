import { InputError } from '@palimpsest/base';
import type { JsonObject } from '@palimpsest/lm';
import { z } from 'zod';
import { families } from '../pretrained/checkpoint-config.js';

/** How adapters are made. */
export const loraSchema = z.strictObject({
  rank: z.int().min(1).default(8).describe('rank r of every adapter'),
  alpha: z.number().positive().default(16).describe('adapters count alpha / rank times'),
  targets: z
    .array(z.string().min(1))
    .default(['attention', 'mlp'])
    .describe('layers with adapters: attention, mlp, or of them q, k, v, o, gate, up, down'),
});
export type LoraOptions = z.input<typeof loraSchema>;

const configSchema = loraSchema.required().extend({
  family: z.enum(families),
  /** The weights that they stand beside: a place, and their name where it is known. */
  base: z.strictObject({ folder: z.string(), parametersId: z.string().optional() }),
});

/** All that adapters say of themselves. */
export type LoraConfig = Readonly<z.output<typeof configSchema>>;

/** The part of a model's configuration that says it consists of adapters, and the rest. */
export function splitLora(config: JsonObject): { lora: LoraConfig | undefined; rest: JsonObject } {
  const { lora, ...rest } = config;
  if (lora === undefined) return { lora, rest };
  const parsed = configSchema.safeParse(lora);
  if (parsed.success) return { lora: parsed.data, rest };
  const issue = parsed.error.issues[0]!;
  throw new InputError(`the adapters' '${issue.path.join('.')}' is wrong: ${issue.message}`);
}

/** @throws InputError naming the option of adapters that is wrong. */
export function resolveLora(options: LoraOptions): z.output<typeof loraSchema> {
  const parsed = loraSchema.safeParse(options);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new InputError(
    `The option '${issue.path.join('.')}' of adapters is wrong: ${issue.message}; ${JSON.stringify(options[issue.path[0] as keyof LoraOptions])} was given.`,
  );
}
