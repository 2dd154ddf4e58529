import { type Field, fieldsOf } from '../../src/options/index.js';
import type { Verb } from '../../src/verb.js';

/** The page that documents every verb and flag, made from the same schemas as the flags themselves. */
export function commandLinePage(verbs: readonly Verb[]): string {
  const sections = verbs.map(sectionOf);
  return `# The command line

This page is generated from the schemas of the flags; a test keeps it fresh (\`vitest run --update\` in \`apps/cli\`).
Options may also stand in a JSON file, by the names in the second column: \`--config options.json\`. Flags go first, then
the file, then the preset, then the default. Every command takes \`--plugin file\`, any number of times: a JavaScript module that
exports the card of a mechanism as \`mechanism\` ([an example](../examples/moving-average.mjs)), with its models, tasks, golden
cases and commands.

${sections.join('\n')}`;
}

function sectionOf(verb: Verb): string {
  const positional = (verb.arguments ?? []).map(({ name, required }) =>
    required ? `<${name}>` : `[${name}]`,
  );
  const words = ['palimpsest', ...verb.path, ...positional].join(' ');
  const rows = fieldsOf(verb.schema, verb.aliases).map(rowOf);
  const presets = Object.keys(verb.presets ?? {});
  return `## ${verb.path.join(' ')}

\`${words}\`: ${verb.description}.

| flag | in a file | default | meaning |
| --- | --- | --- | --- |
${rows.join('\n')}
${presets.length > 0 ? `\nPresets: ${presets.map((name) => `\`${name}\``).join(', ')}.\n` : ''}`;
}

function rowOf({ flag, key, kind, choices, defaultValue, meta }: Field): string {
  const values =
    choices.length > 0 ? ` ${choices.join('\\|')}` : kind === 'switch' ? '' : ` ${meta.value ?? kind}`;
  const aliases = (meta.aliases ?? []).map((alias) => `, \`--${alias}\``).join('');
  const shown =
    defaultValue === undefined || String(defaultValue) === '' ? '' : `\`${String(defaultValue)}\``;
  const meaning =
    flag.startsWith('no-') && kind === 'switch' ? `turn off: ${meta.description}` : meta.description;
  return `| \`--${flag}${values}\`${aliases} | \`${key}\` | ${shown} | ${meaning.replaceAll('|', '\\|')} |`;
}
