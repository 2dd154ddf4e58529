import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';

/** What is read of a JSON schema here; `z.toJSONSchema` writes it. */
interface Schema {
  readonly type?: string | readonly string[] | undefined;
  readonly description?: string | undefined;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[] | undefined;
  readonly minimum?: number | undefined;
  readonly maximum?: number | undefined;
  readonly exclusiveMinimum?: unknown;
  readonly exclusiveMaximum?: unknown;
  readonly items?: unknown;
  readonly anyOf?: readonly unknown[] | undefined;
  readonly oneOf?: readonly unknown[] | undefined;
  readonly properties?: Readonly<Record<string, unknown>> | undefined;
  readonly required?: readonly string[] | undefined;
}

interface OptionsFile {
  /** Name of the type. */
  readonly name: string;
  /** Its doc comment. */
  readonly about: string;
  /** `z.toJSONSchema(schema, { io: 'input' })` of the options. */
  readonly schema: Schema;
  /** Options that cannot be left out, where something else fills in what the schema asks for. */
  readonly required?: readonly string[];
  /** Sentences behind an option's own text, by its name: defaults that a preset decides. */
  readonly further?: Readonly<Record<string, string>>;
  /** Further members of an option's type, by its name. */
  readonly also?: Readonly<Record<string, string>>;
}

/**
 * The type of a package's options as TypeScript, with the text, bounds and default of every option as its comment: a type
 * that is inferred from a schema has none to show on hover or in the reference. Tests keep the written file as it is here.
 */
export function optionsFile({ name, about, schema, required, further = {}, also = {} }: OptionsFile): string {
  const type = objectType({ ...schema, required: required ?? schema.required }, further, also);
  const source = `// Written by test/options.test.ts from the schema in config.ts: \`vitest run --update\` writes it anew.

/** ${about} */
export type ${name} = ${type};
`;
  const biome = createRequire(import.meta.url).resolve('@biomejs/biome/bin/biome');
  return execFileSync(process.execPath, [biome, 'format', '--stdin-file-path=packages/options.ts'], {
    cwd: import.meta.dirname,
    input: source,
    encoding: 'utf8',
  });
}

function objectType(
  { properties = {}, required = [] }: Schema,
  further: Readonly<Record<string, string>> = {},
  also: Readonly<Record<string, string>> = {},
): string {
  const members = Object.entries(properties).map(([key, property]) => {
    const schema = property as Schema;
    const optional = required.includes(key) ? '' : '?';
    const types = [typeOf(schema), ...(key in also ? [also[key]!] : []), ...(optional ? ['undefined'] : [])];
    return `${comment(schema, further[key])}${key}${optional}: ${types.join(' | ')};`;
  });
  return `{\n${members.join('\n')}\n}`;
}

function typeOf(schema: Schema): string {
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return choices.map((choice) => typeOf(choice as Schema)).join(' | ');
  if (schema.const !== undefined) return literal(schema.const);
  if (schema.enum) return schema.enum.map(literal).join(' | ');
  if (schema.type === 'array') return `(${typeOf(schema.items as Schema)})[]`;
  if (schema.type === 'object') return objectType(schema);
  if (!schema.type) throw new Error(`No type is written for ${JSON.stringify(schema)}.`);
  const types = typeof schema.type === 'string' ? [schema.type] : schema.type;
  return types.map((type) => (type === 'integer' ? 'number' : type)).join(' | ');
}

const literal = (value: unknown): string =>
  typeof value === 'string' ? `'${value}'` : JSON.stringify(value);

function comment(schema: Schema, further: string | undefined): string {
  const { description } = schema;
  const parts = [
    description && `${description.charAt(0).toUpperCase()}${description.slice(1)}.`,
    bounds(schema),
    further,
    schema.default !== undefined && `@defaultValue \`${defaultValue(schema.default)}\``,
  ].filter((part) => part);
  if (parts.length === 0) return '';
  const line = `/** ${parts.join(' ')} */`;
  return line.length <= 100 ? `${line}\n` : `/**\n${parts.map((part) => ` * ${part}`).join('\n')}\n */\n`;
}

function defaultValue(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : JSON.stringify(value);
}

/** The range of a number in words; those of 53 bits, which every integer has, go without saying. */
function bounds(schema: Schema): string {
  if (schema.type !== 'integer' && schema.type !== 'number') return '';
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = schema;
  const said = [
    minimum !== undefined && Math.abs(minimum) < Number.MAX_SAFE_INTEGER && `at least ${minimum}`,
    exclusiveMinimum !== undefined && `above ${exclusiveMinimum}`,
    maximum !== undefined && Math.abs(maximum) < Number.MAX_SAFE_INTEGER && `at most ${maximum}`,
    exclusiveMaximum !== undefined && `below ${exclusiveMaximum}`,
  ].filter((part) => part);
  const kind = schema.type === 'integer' ? 'An integer' : 'A number';
  return said.length > 0 ? `${kind}, ${said.join(', ')}.` : `${kind}.`;
}
