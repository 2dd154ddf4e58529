import type { NDArray } from '../ndarray.js';
import { type GoldenCase, type GoldenSource, isResult } from './case.js';
import { compareNumbers, compareTexts, type OutputComparison, refusal } from './compare.js';
import type { GoldenHandler, GoldenJson, GoldenOutputs, GoldenValue } from './contract.js';
import { isBelow, type JsonLeaf, jsonLeaves } from './json-paths.js';
import { MaskedValues } from './masked-values.js';
import { type ToleranceStatements, Tolerances } from './tolerances.js';

/** Members of the JSON that name gradients which are zero or do not exist. */
const ABSENT_GRADIENTS = ['gradNone', 'gradientIsNull', 'gradAbsent'];

/** Says whether a path of the JSON may hold a result of the cases of a handler. */
const isExpectedMember = (handler: GoldenHandler, path: string): boolean =>
  isBelow(path, ['expected', ...(handler.expects ?? [])]);

const isGiven = (handler: GoldenHandler, path: string): boolean => isBelow(path, handler.given ?? []);

/** Says whether the handler may not see a member of the JSON. */
export const isHiddenMember = (handler: GoldenHandler, path: string): boolean =>
  isBelow(path, ['tolerances', 'tolerance']) || (isExpectedMember(handler, path) && !isGiven(handler, path));

/** Pairs what a handler computed with what the case expects, by name, and compares. */
export class CaseComparison {
  readonly #leaves: ReadonlyMap<string, JsonLeaf>;
  readonly #tolerances: Tolerances;
  readonly #absent: ReadonlySet<string>;
  readonly #computed = new Set<string>();
  readonly #results: OutputComparison[] = [];

  constructor(
    private readonly source: GoldenSource,
    private readonly handler: GoldenHandler,
    inWords: ToleranceStatements = {},
  ) {
    const { json, tensors } = source;
    const members = [...jsonLeaves(json as GoldenJson, '')].map(
      ([path, leaf]) => [path.slice(1), leaf] as const,
    );
    this.#leaves = new Map(members.filter(([path]) => isExpectedMember(handler, path)));
    this.#tolerances = new Tolerances(json, inWords, (name) => tensors.has(`weights/${name}`));
    this.#absent = new Set(ABSENT_GRADIENTS.flatMap((key) => (json[key] ?? []) as string[]));
  }

  /** Compares all outputs; what the case expects and nobody computed fails. */
  async compare(outputs: GoldenOutputs, testCase: GoldenCase): Promise<OutputComparison[]> {
    for (const [key, value] of Object.entries(outputs)) {
      const [name = '', form] = key.split('@');
      if (typeof value !== 'function') this.#compareOne(name, form, value as GoldenValue);
      else if (this.#leaves.get(name) === null) this.#computed.add(name);
      else if (this.#expects(name)) this.#compareOne(name, form, await value());
    }
    const tensors = [...this.source.tensors.keys()].filter(
      (name) => (isResult(name) || name.startsWith('state/')) && !testCase.read.has(name),
    );
    for (const name of [...tensors, ...this.#leaves.keys()]) {
      if (isGiven(this.handler, name)) continue;
      if (!this.#computed.has(name))
        this.#results.push(refusal(name, 'is expected, but nothing computed it'));
    }
    return this.#results;
  }

  #expects(name: string): boolean {
    const isTensor = this.source.tensors.has(name) && !name.startsWith('in/');
    return (
      isTensor ||
      this.#leaves.has(name) ||
      [...this.#leaves.keys()].some((path) => path.startsWith(`${name}/`))
    );
  }

  #compareOne(name: string, form: string | undefined, value: GoldenValue): void {
    const label = form === undefined ? name : `${name} (${form})`;
    const tensor = this.source.tensors.get(name);
    if (!this.#expects(name)) {
      const isAbsent = name.startsWith('grad/') && this.#absent.has(name.slice('grad/'.length));
      this.#results.push(
        isAbsent
          ? this.#compareZeros(name, label, value)
          : refusal(label, 'was computed, but the case expects nothing of the name'),
      );
    } else if (tensor !== undefined) {
      this.#computed.add(name);
      const integers = tensor.dtype !== 'F32' && !tensor.dtype.includes('F');
      const expected = { values: tensor.data, rows: tensor.shape[0], integers, inJson: false };
      this.#results.push(this.#compareNumbers(name, form, value, expected));
    } else this.#compareJson(name, form, value);
  }

  #compareZeros(name: string, label: string, value: GoldenValue): OutputComparison {
    const zeros = new Float32Array((value as ArrayLike<number>).length);
    const expected = { values: zeros, rows: 1, integers: false, inJson: false };
    return { ...this.#compareNumbers(name, undefined, value, expected), name: `${label} (absent)` };
  }

  #compareNumbers(
    name: string,
    form: string | undefined,
    value: GoldenValue,
    expected: Expected,
  ): OutputComparison {
    const label = form === undefined ? name : `${name} (${form})`;
    const tolerance = this.#tolerances.of(name, form, expected.integers, expected.inJson);
    if (tolerance === undefined) {
      return refusal(label, "has no tolerance; state one for it under the case's 'tolerances'");
    }
    const { values: actual, mask } =
      value instanceof MaskedValues ? value : { values: numbersOf(value), mask: undefined };
    if (actual === undefined)
      return refusal(label, `expected ${expected.values.length} numbers but got ${typeof value}`);
    return compareNumbers(label, { actual, expected: expected.values, mask, rows: expected.rows }, tolerance);
  }

  #compareJson(name: string, form: string | undefined, value: GoldenValue): void {
    const leaves = jsonLeaves(value as GoldenJson, name);
    for (const [path, leaf] of leaves) {
      const expected = this.#leaves.get(path);
      if (expected === undefined) {
        this.#results.push(refusal(path, 'was computed, but the case expects nothing of the name'));
        continue;
      }
      this.#computed.add(path);
      const wanted = numbersOf(expected);
      if (wanted === undefined) {
        this.#results.push(compareTexts(path, String(leaf), String(expected)));
        continue;
      }
      const integers = Array.from(wanted).every(Number.isInteger);
      this.#results.push(
        this.#compareNumbers(path, form, leaf, { values: wanted, rows: 1, integers, inJson: true }),
      );
    }
  }
}

interface Expected {
  readonly values: ArrayLike<number>;
  readonly rows: number | undefined;
  readonly integers: boolean;
  readonly inJson: boolean;
}

/** The numbers of a value: a number, a list of them, or a host array. */
function numbersOf(value: unknown): ArrayLike<number> | undefined {
  if (typeof value === 'number') return [value];
  if (typeof value !== 'object' || value === null) return undefined;
  if ('data' in value && 'shape' in value) return (value as NDArray).data;
  return 'length' in value ? (value as ArrayLike<number>) : undefined;
}
