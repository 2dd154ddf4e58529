import { InputError, parseJson, readRegularFile } from '@palimpsest/base';

const FLAG = '--plugin';

export const PLUGIN_HELP =
  'JavaScript module that brings a mechanism: its models, tasks, golden cases and commands; may be given several times';

/**
 * Takes `--plugin` out of a command line, wherever it stands, and `plugin` out of its configuration file: what plugins bring
 * decides which commands and flags there are.
 * @throws InputError for a flag without a path.
 */
export function takePlugins(given: readonly string[]): { args: string[]; plugins: string[] } {
  const end = given.indexOf('--');
  const own = end === -1 ? given : given.slice(0, end);
  const args: string[] = [];
  const plugins: string[] = [];
  for (let at = 0; at < own.length; at++) {
    const word = own[at]!;
    if (word !== FLAG && !word.startsWith(`${FLAG}=`)) {
      args.push(word);
      continue;
    }
    const path = word === FLAG ? own[++at] : word.slice(FLAG.length + 1);
    if (path === undefined || path === '' || path.startsWith('-')) {
      throw new InputError(
        `${FLAG} needs the path of a JavaScript module, as in ${FLAG} ./my-mechanism.mjs.`,
      );
    }
    plugins.push(path);
  }
  return { args: [...args, ...given.slice(own.length)], plugins: [...pluginsInConfig(args), ...plugins] };
}

function pluginsInConfig(args: readonly string[]): string[] {
  const at = args.findIndex((word) => /^--config(=|$)/.test(word));
  if (at === -1) return [];
  const path = args[at] === '--config' ? args[at + 1] : args[at]!.slice('--config='.length);
  const { plugin } = readObject(path);
  if (plugin === undefined) return [];
  const paths: unknown[] = Array.isArray(plugin) ? plugin : [plugin];
  if (paths.every((value): value is string => typeof value === 'string')) return paths;
  throw new InputError(
    `The key 'plugin' of the configuration file '${path}' needs a path or a list of paths.`,
  );
}

/** What is wrong with the file is said where its other keys are read. */
function readObject(path: string | undefined): Readonly<Record<string, unknown>> {
  try {
    const json: unknown = parseJson(readRegularFile(path ?? ''), '');
    return typeof json === 'object' && json !== null ? (json as Readonly<Record<string, unknown>>) : {};
  } catch {
    return {};
  }
}
