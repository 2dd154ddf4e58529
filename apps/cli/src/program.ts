import { wrapLine } from '@palimpsest/base';
import { type Registry, registryWith } from '@palimpsest/harness';
import { EngineError, InputError } from '@palimpsest/tensor-core';
import { Command, CommanderError, Option } from 'commander';
import { ExitCode } from './exit.js';
import type { Interrupts } from './interrupts.js';
import { type Field, fieldsOf, normaliseSpellings, resolveOptions, type Values } from './options/index.js';
import { PLUGIN_HELP, takePlugins } from './options/plugins.js';
import { createOutput, printable } from './terminal/output.js';
import type { Verb, VerbContext } from './verb.js';

declare const CLI_VERSION: string;

/** Runs one command line. Never throws: bad input, failures and Ctrl-C become exit codes with one sentence. */
export async function runCommandLine(
  verbsOf: (registry: Registry) => readonly Verb[],
  given: readonly string[],
  interrupts: Interrupts,
): Promise<ExitCode> {
  try {
    const { args, plugins } = takePlugins(given);
    return await runWith(await registryWith(plugins), verbsOf, args, interrupts);
  } catch (error) {
    return explain(error);
  }
}

async function runWith(
  registry: Registry,
  verbsOf: (registry: Registry) => readonly Verb[],
  args: readonly string[],
  interrupts: Interrupts,
): Promise<ExitCode> {
  let code: ExitCode = ExitCode.ok;
  const verbs = verbsOf(registry);
  const showAll = args.includes(HELP_ALL);
  const program = buildProgram(verbs, { interrupts, registry, showAll }, (result) => {
    code = result;
  });
  const called = verbs.filter(({ path }) => path.every((word, index) => args[index] === word));
  // Of `sweep` and `sweep merge` the longer one is meant.
  const verb = called.toSorted((a, b) => b.path.length - a.path.length)[0];
  const normal = verb ? normaliseSpellings(args, fieldsOf(verb.schema, verb.aliases)) : [...args];
  await program.parseAsync(
    normal.map((word) => (word === HELP_ALL ? '--help' : word)),
    { from: 'user' },
  );
  return code;
}

const HELP_ALL = '--help-all';

interface Surroundings extends Pick<VerbContext, 'interrupts' | 'registry'> {
  /** Whether the help lists every option. */
  readonly showAll: boolean;
}

function buildProgram(
  verbs: readonly Verb[],
  surroundings: Surroundings,
  finish: (code: ExitCode) => void,
): Command {
  const program = new Command('palimpsest')
    .description('Train, stream, compare and ship sequence models whose memory never grows.')
    .version(CLI_VERSION)
    // Flags behind `merge` in `sweep merge` are those of `sweep merge`, whatever `sweep` calls its own.
    .enablePositionalOptions()
    .showHelpAfterError('(palimpsest --help lists the commands and flags)')
    .exitOverride();
  for (const verb of verbs) addVerb(program, verb, surroundings, finish);
  for (const group of program.commands) describeGroup(group);
  return program;
}

/** A word that is no verb of its own says which words may follow it. */
function describeGroup(group: Command): void {
  if (group.description() !== '') return;
  group.description(`with a word more: ${group.commands.map((command) => command.name()).join(', ')}`);
}

function addVerb(
  program: Command,
  verb: Verb,
  surroundings: Surroundings,
  finish: (code: ExitCode) => void,
): void {
  const parents = verb.path.slice(0, -1);
  const parent = parents.reduce((command, word) => childOf(command, word), program);
  const command = parent
    .command(verb.path.at(-1)!)
    .description(verb.description)
    .showHelpAfterError(`(palimpsest ${verb.path.join(' ')} --help lists the flags)`)
    .enablePositionalOptions()
    .exitOverride();
  for (const { name, description, required } of verb.arguments ?? []) {
    command.argument(required ? `<${name}>` : `[${name}]`, description);
  }
  const fields = fieldsOf(verb.schema, verb.aliases);
  const isShown = ({ key }: Field) => surroundings.showAll || verb.basic?.includes(key) !== false;
  for (const field of fields) addField(command, field, isShown(field));
  const hidden = fields.filter((field) => !isShown(field)).length;
  if (hidden > 0) command.addOption(new Option(HELP_ALL, `this, with ${hidden} more options`));
  command.addOption(
    new Option('--config <file>', 'JSON file with any of these options, by their camelCase names'),
  );
  command.addOption(new Option('--plugin <file>', PLUGIN_HELP));
  const presets = Object.keys(verb.presets ?? {});
  if (presets.length > 0) {
    command.addOption(
      new Option('--preset <name>', 'named set of values; flags override it').choices(presets),
    );
  }
  if (verb.presetHelp) command.addHelpText('after', `\n${presetText(verb.presetHelp)}`);
  if (verb.examples)
    command.addHelpText('after', `\nExamples:\n${verb.examples.map((line) => `  ${line}\n`).join('')}`);
  command.action(async () => {
    finish(await runVerb(verb, fields, command, surroundings));
  });
}

/** What presets are for, and which there are. */
function presetText(presets: Readonly<Record<string, string>>): string {
  const names = Object.keys(presets);
  const room = Math.max(...names.map((name) => name.length));
  return [
    'A preset is a model with the training that suits it; flags change single values of it. Presets:',
    ...names.map((name) => `  ${name.padEnd(room)}  ${presets[name]}`),
  ]
    .flatMap((line, index) => wrapLine(line, helpWidth(), index === 0 ? 0 : room + 4))
    .map((line) => `${line}\n`)
    .join('');
}

const helpWidth = () => process.stdout.columns ?? 80;

async function runVerb(
  verb: Verb,
  fields: readonly Field[],
  command: Command,
  { interrupts, registry }: Surroundings,
): Promise<ExitCode> {
  const given: Values = Object.fromEntries(
    Object.entries(command.opts()).filter(([key]) => command.getOptionValueSource(key) === 'cli'),
  );
  const { config, preset, ...flags } = given as { config?: string; preset?: string } & Values;
  const resolve = (values: Values | undefined) =>
    resolveOptions(verb.schema, fields, { flags, configPath: config, preset: values });
  const own = resolve(preset === undefined ? undefined : verb.presets?.[preset]);
  const usual = preset === undefined ? verb.usual?.(own.options, own.asked) : undefined;
  const resolved = usual === undefined ? own : resolve(usual.values);
  const options = resolved.options as Values;
  const output = createOutput({ json: options.json === true, quiet: options.quiet === true });
  for (const { key, flag, meta, defaultValue } of fields) {
    if (meta.inert !== undefined && options[key] !== defaultValue) {
      output.noteOnce(`note: --${flag} changes nothing here: ${meta.inert}.`);
    }
  }
  return verb.run(
    options,
    {
      output,
      registry,
      interrupts,
      signal: interrupts.signal,
      given: resolved.given,
      asked: resolved.asked,
      preset: preset ?? usual?.preset,
      usual: usual !== undefined,
    },
    command.args,
  );
}

function childOf(parent: Command, word: string): Command {
  const existing = parent.commands.find((command) => command.name() === word);
  return existing ?? parent.command(word).exitOverride();
}

function addField(
  command: Command,
  { flag, kind, choices, defaultValue, meta }: Field,
  isShown: boolean,
): void {
  const name = meta.value ?? (kind === 'choice' ? 'name' : kind);
  const value = kind === 'switch' ? '' : meta.bare === undefined ? ` <${name}>` : ` [${name}]`;
  const also = (meta.aliases ?? []).map((alias) => `--${alias}`);
  const hasDefault = kind !== 'switch' && defaultValue !== undefined && String(defaultValue) !== '';
  const facts = [
    ...(hasDefault ? [`default: ${String(defaultValue)}`] : []),
    ...(also.length > 0 ? [`also ${also.join(', ')}`] : []),
  ];
  const meaning =
    flag.startsWith('no-') && kind === 'switch' ? `turn off: ${meta.description}` : meta.description;
  const description = facts.length > 0 ? `${meaning} (${facts.join('; ')})` : meaning;
  const option = new Option(`--${flag}${value}`, description);
  if (!isShown) option.hideHelp();
  command.addOption(choices.length > 0 ? option.choices(choices) : option);
  // A switch without a default can be turned on and off: something else decides when it is not given.
  if (kind === 'switch' && defaultValue === undefined)
    command.addOption(new Option(`--no-${flag}`).hideHelp());
}

/** Prints what went wrong, once and without a stack unless PALIMPSEST_DEBUG is set, and gives the exit code. */
function explain(error: unknown): ExitCode {
  if (error instanceof CommanderError) {
    // Commander has printed its message; help and version end this way too.
    return error.exitCode === 0 ? ExitCode.ok : ExitCode.badInput;
  }
  if (error instanceof Error && error.name === 'AbortError') {
    process.stderr.write('interrupted\n');
    return ExitCode.interrupted;
  }
  const isTooLarge =
    error instanceof RangeError &&
    /^(Invalid (typed )?array length|Array buffer allocation failed)/.test(error.message);
  const message = isTooLarge
    ? `The sizes that were asked for do not fit into memory (${error.message.toLowerCase()}); choose smaller ones.`
    : error instanceof Error
      ? error.message
      : String(error);
  process.stderr.write(`error: ${printable(message)}\n`);
  if (process.env.PALIMPSEST_DEBUG && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  const isBadInput = error instanceof InputError || error instanceof EngineError || isTooLarge;
  return isBadInput ? ExitCode.badInput : ExitCode.failed;
}
