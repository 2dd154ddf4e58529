import { InputError } from '@palimpsest/tensor-core';

/** Names of the seed's configuration, and where each option lives here. */
const SEED_NAMES: Readonly<Record<string, readonly [string, string?]>> = {
  strideSize: ['hopLength'],
  windowSize: ['nFft'],
  gamma: ['emaCoeff'],
  dModel: ['bam', 'hiddenDim'],
  nHead: ['bam', 'numHeads'],
};

/**
 * Options under their own names. Dropout of the scorer is taken out: it would make eviction a matter of chance.
 * @throws InputError when both names of one option are given with different values.
 */
export function withOwnNames(given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const result: Record<string, unknown> = { ...given };
  delete result.dropout;
  for (const [seed, [name, inner]] of Object.entries(SEED_NAMES)) {
    if (!(seed in given)) continue;
    delete result[seed];
    const value = given[seed];
    const own = inner === undefined ? given[name] : memberOf(given[name], inner);
    if (own !== undefined && own !== value) {
      throw new InputError(
        `NAMM's '${seed}' and '${[name, inner].filter(Boolean).join('.')}' are one option, but ${value} and ${own} were given; give one of them.`,
      );
    }
    result[name] = inner === undefined ? value : { ...membersOf(result[name]), [inner]: value };
  }
  return result;
}

const membersOf = (value: unknown): object => (typeof value === 'object' && value !== null ? value : {});
const memberOf = (value: unknown, name: string): unknown =>
  Object.entries(membersOf(value)).find(([key]) => key === name)?.[1];
