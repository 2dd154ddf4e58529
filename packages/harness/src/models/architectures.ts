import type { Architecture, ModelRegistry } from '@palimpsest/lm';
import { mechanism as osam } from '@palimpsest/osam/mechanism';
import { InputError } from '@palimpsest/tensor-core';
import { rsm } from './rsm.js';
import { transformer } from './transformer.js';

/** Every architecture that can be trained and loaded by name. */
export const architectures: readonly Architecture[] = [...(osam.architectures ?? []), rsm, transformer];

/** The architecture of a name. @throws InputError listing the names when there is none. */
export function architectureOf(name: string): Architecture {
  const found = architectures.find((architecture) => architecture.name === name);
  if (found) return found;
  const names = architectures.map((architecture) => architecture.name).join(', ');
  throw new InputError(`There is no architecture '${name}'; there are ${names}.`);
}

/** The same as what `loadCheckpoint` of `@palimpsest/lm` asks for. */
export const modelRegistry: ModelRegistry = Object.fromEntries(
  architectures.map(({ name, restore }) => [name, (config) => restore(config)]),
);
