import { byName, type Registry } from '@palimpsest/harness';
import type { AnySequenceModel } from '@palimpsest/lm';
import { InputError } from '@palimpsest/tensor-core';

type Values = Readonly<Record<string, unknown>>;

/** Options that belong to a policy, and mean nothing without one. */
const OWN = { budget: '--budget', updateInterval: '--update-interval', policyFile: '--policy-file' } as const;

/**
 * The model whose cache forgets by the rule that was asked for, or the model as it is.
 * @throws InputError for a policy that there is not, that cannot manage the model, or that lacks an option or knows one not.
 */
export async function underPolicy(
  model: AnySequenceModel,
  options: Values,
  { policies }: Registry,
): Promise<AnySequenceModel> {
  const given = Object.entries(OWN).filter(([key]) => options[key] !== undefined);
  const name = options.policy;
  if (typeof name !== 'string') {
    const [first] = given;
    if (first === undefined) return model;
    throw new InputError(`${first[1]} belongs to a policy; name one with --policy.`);
  }
  const policy = byName('policy', policies, name);
  const parsed = policy.options.safeParse(Object.fromEntries(given.map(([key]) => [key, options[key]])));
  if (parsed.success) return policy.apply(model, parsed.data);
  const issue = parsed.error.issues[0]!;
  if (issue.code === 'unrecognized_keys') {
    const flag = given.find(([key]) => issue.keys.includes(key))?.[1];
    throw new InputError(`The policy '${name}' has no option ${flag}; leave it away.`);
  }
  const flag = Object.entries(OWN).find(([key]) => key === issue.path[0])?.[1] ?? String(issue.path[0]);
  throw new InputError(
    options[String(issue.path[0])] === undefined
      ? `The policy '${name}' needs ${flag}.`
      : `${flag} of the policy '${name}' is wrong: ${issue.message}.`,
  );
}
