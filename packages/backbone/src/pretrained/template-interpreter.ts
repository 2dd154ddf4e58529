import { Environment, Interpreter, Template } from '@huggingface/jinja';

type Statement = NonNullable<Parameters<Interpreter['evaluate']>[0]>;
type Value = ReturnType<Interpreter['evaluate']>;

/** A place in a program that has been computed already. */
interface Computed {
  readonly type: 'Computed';
  readonly computed: Value;
}

/**
 * The interpreter of `@huggingface/jinja` with the rules of Jinja2 and Python where it has others: `%` has the sign of its
 * right side, texts never equal numbers, lists and mappings are equal when what they hold is, nothing has no attributes, and
 * `strip`, `lstrip` and `rstrip` take off the characters that they are given.
 * What stays: truth values are written `true` and `false` and nothing as an empty text, where Jinja2 writes `True` and `None`.
 */
export class TemplateInterpreter extends Interpreter {
  override evaluate(statement: Statement | undefined, environment: Environment): Value {
    if (statement === undefined) return super.evaluate(statement, environment);
    if (isComputed(statement)) return statement.computed;
    const compute = (part: unknown) => this.evaluate(part as Statement, environment);
    if (statement.type === 'MemberExpression') {
      const { object } = statement as Statement & { object: unknown };
      const owner = compute(object);
      if (owner.type !== 'UndefinedValue') {
        return super.evaluate(program({ ...statement, object: computed(owner) }), environment);
      }
      throw new Error(`${nameOf(object)} is undefined, so it has no ${nameOf(statement)}`);
    }
    if (statement.type === 'CallExpression') return this.#call(statement as Statement & Call, environment);
    if (statement.type !== 'BinaryExpression') return super.evaluate(statement, environment);
    const { operator, left, right } = statement as Statement & Binary;
    if (!MENDED.has(operator.value)) return super.evaluate(statement, environment);
    const sides = [compute(left), compute(right)] as const;
    const result = mended(operator.value, ...sides);
    if (typeof result === 'boolean')
      return super.evaluate(program({ type: 'Identifier', value: String(result) }), environment);
    if (typeof result === 'number') {
      const type = sides.some((side) => side.type === 'FloatValue') ? 'FloatLiteral' : 'IntegerLiteral';
      return super.evaluate(program({ type, value: result }), environment);
    }
    const [first, second] = sides.map(computed);
    return super.evaluate(program({ ...statement, left: first, right: second }), environment);
  }

  /** The library's `strip` and its like take white space off, whatever they are asked for. */
  #call(statement: Statement & Call, environment: Environment): Value {
    const { callee, args } = statement;
    const name = callee.type === 'MemberExpression' && !callee.computed ? callee.property?.value : undefined;
    const ends = name === undefined ? undefined : STRIPPED[name];
    if (!ends || args.length !== 1) return super.evaluate(statement, environment);
    const owner = this.evaluate(program(callee.object ?? {}), environment);
    const given = this.evaluate(program(args[0] ?? {}), environment);
    if (typeof owner.value === 'string' && typeof given.value === 'string') {
      const value = stripped(owner.value, given.value, ends);
      return super.evaluate(program({ type: 'StringLiteral', value }), environment);
    }
    const [object, argument] = [computed(owner), computed(given)];
    return super.evaluate(
      program({ ...statement, callee: { ...callee, object }, args: [argument] }),
      environment,
    );
  }
}

interface Call {
  readonly callee: {
    readonly type: string;
    readonly computed?: boolean;
    readonly object?: object;
    readonly property?: { readonly value?: string };
  };
  readonly args: readonly object[];
}

type Ends = { readonly left: boolean; readonly right: boolean };
const STRIPPED: Readonly<Record<string, Ends>> = {
  strip: { left: true, right: true },
  lstrip: { left: true, right: false },
  rstrip: { left: false, right: true },
};

/** A text without the given characters at its ends, as Python's `str.strip(characters)`. */
function stripped(text: string, characters: string, { left, right }: Ends): string {
  const [all, gone] = [[...text], new Set(characters)];
  let [from, to] = [0, all.length];
  while (left && from < to && gone.has(all[from]!)) from++;
  while (right && to > from && gone.has(all[to - 1]!)) to--;
  return all.slice(from, to).join('');
}

interface Binary {
  readonly operator: { readonly value: string };
  readonly left: unknown;
  readonly right: unknown;
}

const MENDED = new Set(['%', '==', '!=', 'in', 'not in']);

/** The result of an operator, or nothing where the library has the same. */
function mended(operator: string, left: Value, right: Value): boolean | number | undefined {
  if (operator === '==') return equals(left, right);
  if (operator === '!=') return !equals(left, right);
  if (operator === '%') return remainder(left, right);
  const list = listOf(right);
  if (!list) return undefined;
  return list.some((entry) => equals(left, entry)) === (operator === 'in');
}

function remainder(left: Value, right: Value): number | undefined {
  const [a, b] = [numberOf(left), numberOf(right)];
  if (a === undefined || b === undefined) return undefined;
  if (b === 0) throw new Error('integer modulo by zero');
  const rest = a % b;
  return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest;
}

/** Python's equality. */
function equals(left: Value, right: Value): boolean {
  const [a, b] = [numberOf(left), numberOf(right)];
  if (a !== undefined || b !== undefined) return a === b;
  if (left.type !== right.type) return false;
  const [list, other] = [listOf(left), listOf(right)];
  if (list && other) {
    return list.length === other.length && list.every((entry, index) => equals(entry, other[index]!));
  }
  if (left.value instanceof Map && right.value instanceof Map) {
    const [own, others]: [Map<unknown, Value>, Map<unknown, Value>] = [left.value, right.value];
    return (
      own.size === others.size &&
      [...own].every(([key, value]) => others.has(key) && equals(value, others.get(key)!))
    );
  }
  return left.value === right.value;
}

const listOf = ({ value }: Value): readonly Value[] | undefined => (Array.isArray(value) ? value : undefined);

/** A number; Python counts truth as one. */
function numberOf({ type, value }: Value): number | undefined {
  return ['IntegerValue', 'FloatValue', 'BooleanValue'].includes(type) ? Number(value) : undefined;
}

const computed = (value: Value): Computed => ({ type: 'Computed', computed: value });

const isComputed = (statement: object): statement is Computed =>
  'computed' in statement && 'type' in statement && statement.type === 'Computed';

/** A part of a program, made here. */
const program = (part: object) => part as Statement;

/** What a part of a program is called, for messages: a name, or that of the attribute it is. */
function nameOf(part: unknown): string {
  if (typeof part !== 'object' || part === null) return 'a value';
  if ('property' in part) return nameOf(part.property);
  return 'value' in part && typeof part.value === 'string' ? `'${part.value}'` : 'a value';
}

/**
 * Renders a program.
 * @throws Error for what Jinja2 refuses, and for what the program itself refuses.
 */
export function renderProgram(template: Template, variables: Readonly<Record<string, unknown>>): string {
  const environment = new Environment();
  for (const [name, value] of Object.entries({ ...CONSTANTS, ...variables })) environment.set(name, value);
  library ??= libraryFunctions();
  for (const [name, value] of library) environment.variables.set(name, value);
  const result = new TemplateInterpreter(environment).run(template.parsed);
  return String(result.value);
}

const CONSTANTS = {
  ...{ true: true, True: true, false: false, False: false, none: null, None: null },
  raise_exception: (message: unknown) => {
    throw new Error(String(message));
  },
};

/** Made once: it takes a template of its own. */
let library: readonly [string, Value][] | undefined;

/** Functions of the library that every template has and that it gives nobody else: `range`, `strftime_now`. */
function libraryFunctions(): [string, Value][] {
  const FunctionValue = new Environment().variables.get('namespace')!.constructor as new (
    fn: unknown,
  ) => Value;
  const names = ['range', 'strftime_now'];
  let taken: unknown[] = [];
  const take = (...values: unknown[]) => {
    taken = values;
    return '';
  };
  new Template(`{{ take(${names.join(', ')}) }}`).render({ take });
  return names.map((name, index) => [name, new FunctionValue(taken[index])]);
}
