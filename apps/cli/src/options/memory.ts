import { type Registry, unknownName } from '@palimpsest/harness';
import type { AnySequenceModel } from '@palimpsest/lm';
import { InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';

/** What a transformer's cache keeps, whatever it was trained with. */
export const memoryOptions = {
  memory: z.string().optional().meta({
    description:
      'what the cache of a transformer keeps: window, sinks, or another rule of `palimpsest ls policies`',
    value: 'name',
  }),
  budget: z.int().min(1).optional().meta({
    description: 'tokens that stay, in every head, however long the text',
    value: 'count',
  }),
  sinks: z.int().min(1).optional().meta({
    description: 'how many of them are the first of the text, for --memory sinks (default: 4)',
    value: 'count',
  }),
  updateInterval: z.int().min(1).optional().meta({
    description: 'tokens between two looks through the cache, for rules that watch it (default: 512)',
    value: 'count',
  }),
  tailShare: z.number().positive().optional().meta({
    description:
      'look through the cache whenever so many tokens came for each one kept, in place of --update-interval',
    value: 'share',
  }),
  policyFile: z.string().optional().meta({
    description: 'file of an evolved policy, for --memory namm',
    value: 'path',
  }),
};

/** Options that belong to a memory, and mean nothing without one. */
export const memoryFlags = {
  budget: '--budget',
  sinks: '--sinks',
  updateInterval: '--update-interval',
  tailShare: '--tail-share',
  policyFile: '--policy-file',
} as const;

const namesOf = (all: readonly { readonly name: string }[]) => all.map(({ name }) => name).join(', ');

type Values = Readonly<Record<string, unknown>>;

/**
 * The model whose cache keeps what was asked for, or the model as it is.
 * @throws InputError for a memory that there is not, that the model cannot have, or that lacks an option or knows one not.
 */
export async function withMemory(
  model: AnySequenceModel,
  options: Values,
  { policies, textMemories }: Registry,
): Promise<AnySequenceModel> {
  const given = Object.entries(memoryFlags).filter(([key]) => options[key] !== undefined);
  const name = options.memory;
  if (typeof name !== 'string') {
    const [first] = given;
    if (first === undefined) return model;
    throw new InputError(`${first[1]} belongs to a memory; name one with --memory.`);
  }
  if (options.context !== undefined) {
    throw new InputError(
      `--context is the size of a cache without --memory; leave it away, and give --memory ${name} its --budget.`,
    );
  }
  if (textMemories.some((memory) => memory.name === name)) {
    throw new InputError(
      `The memory '${name}' keeps what is said, so it belongs to chat and generate; choose a rule for the cache: ${namesOf(policies)}.`,
    );
  }
  const policy = policies.find((rule) => rule.name === name);
  if (!policy)
    throw unknownName(
      'memory',
      name,
      [...policies, ...textMemories].map((one) => one.name),
    );
  const parsed = policy.options.safeParse(Object.fromEntries(given.map(([key]) => [key, options[key]])));
  if (parsed.success) return policy.apply(model, parsed.data);
  const issue = parsed.error.issues[0]!;
  if (issue.code === 'unrecognized_keys') {
    const flag = given.find(([key]) => issue.keys.includes(key))?.[1];
    throw new InputError(`The memory '${name}' has no option ${flag}; leave it away.`);
  }
  const flag =
    Object.entries(memoryFlags).find(([key]) => key === issue.path[0])?.[1] ?? String(issue.path[0]);
  throw new InputError(
    options[String(issue.path[0])] === undefined
      ? `The memory '${name}' needs ${flag}.`
      : `${flag} of the memory '${name}' is wrong: ${issue.message}.`,
  );
}
