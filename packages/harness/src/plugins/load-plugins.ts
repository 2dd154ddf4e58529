import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { InputError, readRegularFile, systemReason } from '@palimpsest/base';
import type { Mechanism } from '@palimpsest/lm';
import { createRegistry, type PluginCard, type Registry } from '../create-registry.js';
import { mechanisms } from '../mechanisms.js';
import { standardRegistry } from '../registry.js';
import { cardProblem } from './card-problem.js';
import { shareOwnPackages } from './shared-packages.js';

/**
 * The mechanisms of the house and those that modules of others bring: each exports its card as `mechanism`.
 * @param paths of JavaScript modules, relative to the working folder
 * @throws InputError in one sentence for a module that is missing, fails, or brings no card or a name that is taken.
 */
export async function registryWith(paths: readonly string[]): Promise<Registry> {
  if (paths.length === 0) return standardRegistry;
  shareOwnPackages();
  const plugins: PluginCard[] = [];
  for (const path of new Set(paths.map((given) => resolve(given)))) plugins.push(await loadPlugin(path));
  return createRegistry(mechanisms, plugins);
}

async function loadPlugin(path: string): Promise<PluginCard> {
  const content = read(path);
  const card = cardOf(await load(path), path);
  // Cells of a card that changed are other cells. What the module itself imports is not looked at.
  const version = createHash('sha256').update(content).digest('hex').slice(0, 16);
  return { path, card, versions: { [`plugin ${card.name}`]: version } };
}

function read(path: string): Buffer {
  try {
    return Buffer.from(readRegularFile(path));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason = code === 'ENOENT' ? 'there is no such file' : systemReason(error);
    throw new InputError(
      `The plugin '${path}' cannot be read: ${reason}; give the path of a JavaScript module.`,
    );
  }
}

async function load(path: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return await import(pathToFileURL(path).href);
  } catch (error) {
    const reason = error instanceof Error ? `${error.name}: ${error.message.split('\n')[0]}` : String(error);
    throw new InputError(`The plugin '${path}' cannot be loaded: ${reason}.`);
  }
}

function cardOf(module: Readonly<Record<string, unknown>>, path: string): Mechanism {
  const card = module.mechanism;
  if (card === undefined) {
    const names = Object.keys(module).join(', ') || 'nothing';
    throw new InputError(
      `The plugin '${path}' exports no 'mechanism' but ${names}; export the card of a mechanism under that name.`,
    );
  }
  const problem = cardProblem(card);
  if (problem !== undefined)
    throw new InputError(`The card of the plugin '${path}' is not right: ${problem}.`);
  return card as Mechanism;
}
