import { z } from 'zod';

const name = z
  .string()
  .regex(/^[a-z][a-z0-9-]*$/, 'a name has small letters, digits and hyphens, and begins with a letter');
const text = z.string().min(1);
const method = z.custom<(...args: never[]) => unknown>(
  (value) => typeof value === 'function',
  'must be a function',
);
const schema = z.custom<z.ZodObject>(
  (value) => value instanceof z.ZodObject,
  "must be made by z.object or z.strictObject of the package 'zod'",
);
const named = { name, title: text, description: text };

const architectureSchema = z.looseObject({
  name,
  description: text,
  options: schema,
  presets: z
    .record(z.string(), z.looseObject({ description: text }))
    .refine((presets) => Object.keys(presets).length > 0, 'needs at least one preset'),
  trainer: z.looseObject({ options: schema, train: method }).optional(),
  base: z.literal('required').optional(),
  create: method,
  restore: method,
});

const contenderFacts = { ...named, mechanism: text, options: schema };
const contenderSchema = z.discriminatedUnion('kind', [
  z.looseObject({
    ...contenderFacts,
    kind: z.literal('trained'),
    learningRate: z.number().positive(),
    create: method,
  }),
  z.looseObject({ ...contenderFacts, kind: z.literal('counted'), count: method }),
]);

const taskSchema = z.looseObject({
  ...named,
  family: z.enum(['parity', 'recall', 'language', 'efficiency', 'viability', 'library']),
  options: schema,
  contenders: z.enum(['none', 'trained', 'any']),
  headline: z.object({ metric: text, unit: z.string(), higherIsBetter: z.boolean() }),
  run: method,
});

const verbSchema = z.looseObject({ path: z.array(name).min(1), description: text, schema, run: method });
const policySchema = z.looseObject({ ...named, options: schema, apply: method });
const textMemorySchema = z.looseObject({ ...named, open: method });

const cardSchema = z.looseObject({
  ...named,
  memory: z.enum(['fixed', 'growing', 'none']),
  architectures: z.array(architectureSchema).optional(),
  contenders: z.array(contenderSchema).optional(),
  tasks: z.array(taskSchema).optional(),
  golden: method.optional(),
  inspect: method.optional(),
  policies: z.array(policySchema).optional(),
  textMemories: z.array(textMemorySchema).optional(),
  verbs: z.array(verbSchema).optional(),
});

/** What is wrong with something that should be the card of a mechanism: where, and why; undefined for a right one. */
export function cardProblem(card: unknown): string | undefined {
  const result = cardSchema.safeParse(card);
  if (result.success) return undefined;
  const { path, message } = result.error.issues[0]!;
  return path.length === 0 ? message : `${path.join('.')}: ${message}`;
}
