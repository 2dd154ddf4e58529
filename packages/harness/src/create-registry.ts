import { InputError } from '@palimpsest/base';
import type { GoldenPart } from '@palimpsest/base/golden';
import type { Architecture, EvictionPolicy, Mechanism, TextMemory } from '@palimpsest/lm';
import type { Versions } from './cells/key.js';
import type { EvaluationRegistry } from './cells/task.js';
import { byName } from './names.js';
import { parityTask } from './tasks/parity.js';
import { tasks } from './tasks/tasks.js';

/** Everything that is known by name, derived from the cards of mechanisms. */
export interface Registry extends EvaluationRegistry {
  readonly mechanisms: readonly Mechanism[];
  /** What can be trained and loaded by name. */
  readonly architectures: readonly Architecture[];
  /** Rules for what a growing cache forgets. */
  readonly policies: readonly EvictionPolicy[];
  /** Memories of what was said, beside a model of any kind. */
  readonly textMemories: readonly TextMemory[];
  /** Paths of the modules that cards came from, for processes that compute cells. */
  readonly plugins: readonly string[];
  /** The architecture of a name. @throws InputError listing the names when there is none. */
  architecture(name: string): Architecture;
  /** The card that a model belongs to. */
  mechanismOf(architecture: string): Mechanism | undefined;
  /** The handlers of every golden case, loaded on first use. */
  golden(): Promise<readonly GoldenPart[]>;
}

/** A card from outside: its module, and what the keys of its cells hold besides the versions of the packages. */
export interface PluginCard {
  readonly path: string;
  readonly card: Mechanism;
  readonly versions: Versions;
}

/**
 * Puts cards together.
 * @param plugins cards from outside, after those of the house
 * @throws InputError when two cards bring a thing of the same name.
 */
export function createRegistry(house: readonly Mechanism[], plugins: readonly PluginCard[] = []): Registry {
  const cards = [...house, ...plugins.map(({ card }) => card)];
  refuseClashes(cards);
  let handlers: Promise<readonly GoldenPart[]> | undefined;
  const golden = () => {
    handlers ??= Promise.all(cards.map((card) => card.golden?.() ?? [])).then((all) => all.flat());
    return handlers;
  };
  const architectures = cards.flatMap((card) => card.architectures ?? []);
  return {
    mechanisms: cards,
    architectures,
    policies: cards.flatMap((card) => card.policies ?? []),
    textMemories: cards.flatMap((card) => card.textMemories ?? []),
    plugins: plugins.map(({ path }) => path),
    contenders: cards.flatMap((card) => card.contenders ?? []),
    tasks: [parityTask(golden), ...tasks, ...cards.flatMap((card) => card.tasks ?? [])],
    golden,
    architecture: (name) => byName('architecture', architectures, name),
    mechanismOf: (name) =>
      cards.find((card) => card.architectures?.some((architecture) => architecture.name === name)),
    versionsOf: ({ task, model }) =>
      Object.assign(
        {},
        ...plugins
          .filter(
            ({ card }) =>
              namesOf(card.tasks).includes(task) || namesOf(card.contenders).includes(model ?? ''),
          )
          .map(({ versions }) => versions),
      ),
  };
}

const namesOf = (things: readonly { readonly name: string }[] = []) => things.map(({ name }) => name);

/** Names by which things are asked for on the command line; those of one kind must differ. */
const KINDS: Readonly<Record<string, (card: Mechanism) => readonly string[]>> = {
  mechanism: ({ name }) => [name],
  architecture: ({ architectures }) => namesOf(architectures),
  'task or model': ({ tasks: own, contenders }) => [...namesOf(own), ...namesOf(contenders)],
  memory: ({ policies, textMemories }) => [...namesOf(policies), ...namesOf(textMemories)],
  command: ({ architectures, verbs = [] }) => [
    ...namesOf(architectures).map((name) => `train ${name}`),
    ...verbs.map(({ path }) => path.join(' ')),
  ],
};

function refuseClashes(cards: readonly Mechanism[]): void {
  for (const [kind, namesIn] of Object.entries(KINDS)) {
    const owners = new Map(kind === 'task or model' ? tasks.map(({ name }) => [name, 'the house']) : []);
    for (const card of cards) {
      for (const name of namesIn(card)) {
        const owner = owners.get(name);
        if (owner !== undefined) {
          throw new InputError(
            `The mechanism '${card.name}' brings a ${kind} '${name}', which ${owner} brings already.`,
          );
        }
        owners.set(name, `'${card.name}'`);
      }
    }
  }
}
