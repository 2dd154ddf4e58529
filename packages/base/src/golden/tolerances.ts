/** How far a value may be off: |actual - expected| <= atol + rtol |expected|, or not at all. */
export interface Tolerance {
  readonly atol: number;
  readonly rtol: number;
  readonly exact: boolean;
  /** Other tolerances for rows of the first axis. */
  readonly rows: ReadonlyMap<number, { readonly atol: number; readonly rtol: number }>;
}

/** What a case states about one or several outputs; see {@link Tolerances}. */
export type ToleranceStatement =
  | string
  | boolean
  | number
  | readonly string[]
  | { readonly [member: string]: unknown };
export type ToleranceStatements = Readonly<Record<string, ToleranceStatement>>;

interface Rule {
  readonly keys: readonly string[];
  readonly value: ToleranceStatement;
}

const EXACT: Tolerance = { atol: 0, rtol: 0, exact: true, rows: new Map() };

/**
 * The one rule for tolerances. A case states them under `tolerances` (or `tolerance`):
 *
 * - `atol` and `rtol` at the top hold for every output, `gradAtol` and `gradRtol` for those that `grad` would name;
 * - any other key names outputs, several with commas between. Its parts between slashes must occur in the output's name in
 *   that order, where a number may follow (`loss` names `out/loss_2`); `weights` also names every output called like a tensor
 *   below `weights/`. Of several statements the one with more parts holds, then the one that matches further to the right;
 * - the value is `{ atol, rtol }`, where what is missing is as stated at the top, else 0, and `row3: { atol }` differs for
 *   one row of the first axis, `form: 1e-5` or `form: { rtol }` for the output `name@form`; or a text that starts with `exact`;
 * - `exact` at the top is `true` or a list of names.
 *
 * Integer tensors, texts and truth values are equal; so are whole numbers of the JSON unless a statement names them, and all
 * numbers of the JSON of a case that states nothing at all. What `out` allows holds for `state` too when nothing else does.
 * Everything else without a statement has no tolerance, and fails.
 */
export class Tolerances {
  readonly #rules: readonly Rule[];
  readonly #base: { readonly atol?: number | undefined; readonly rtol?: number | undefined };
  readonly #allExact: boolean;
  /** Whether the case states anything. */
  readonly stated: boolean;

  constructor(
    json: Readonly<Record<string, unknown>>,
    inWords: ToleranceStatements,
    private readonly isWeight: (name: string) => boolean,
  ) {
    const given = (json.tolerances ?? json.tolerance ?? {}) as ToleranceStatements;
    const { atol, rtol, exact, ...named } = given;
    this.stated = Object.keys(given).length > 0;
    this.#base = {
      atol: typeof atol === 'number' ? atol : undefined,
      rtol: typeof rtol === 'number' ? rtol : undefined,
    };
    this.#allExact = exact === true;
    const lists = Array.isArray(exact) ? { [exact.join(',')]: 'exact' } : {};
    this.#rules = rulesOf({ ...lists, ...merged(prefixed(named), inWords) });
  }

  /** The tolerance of a tensor or of JSON numbers, `undefined` when nobody states one. */
  of(name: string, form: string | undefined, integers: boolean, inJson: boolean): Tolerance | undefined {
    if (this.#allExact || (integers && !inJson)) return EXACT;
    const rule =
      this.#best(name) ?? (name.startsWith('state/') ? this.#best(`out${name.slice(5)}`) : undefined);
    if (rule) return this.#parse(rule.value, form);
    if (integers || (inJson && !this.stated)) return EXACT;
    const { atol, rtol } = this.#base;
    if (atol === undefined && rtol === undefined) return undefined;
    return { atol: atol ?? 0, rtol: rtol ?? 0, exact: false, rows: new Map() };
  }

  #best(name: string): Rule | undefined {
    let best: { rule: Rule; score: number } | undefined;
    for (const rule of this.#rules) {
      const score = Math.max(...rule.keys.map((key) => this.#score(key, name)));
      if (score > 0 && score >= (best?.score ?? 0)) best = { rule, score };
    }
    return best?.rule;
  }

  /** 0 where a key does not name an output; more parts outweigh a match further right. */
  #score(key: string, name: string): number {
    const parts = name.split('/');
    let at = -1;
    const keys = key.split('/');
    for (const part of keys) {
      at = parts.findIndex((candidate, i) => i > at && namesPart(part, candidate));
      if (at === -1) break;
    }
    if (at !== -1) return 1000 * keys.length + at + 1;
    const isOne = (_: string, i: number) => i > 0 && this.isWeight(parts.slice(i).join('/'));
    return key === 'weights' && parts.some(isOne) ? 1000 + parts.length : 0;
  }

  #parse(value: ToleranceStatement, form: string | undefined): Tolerance | undefined {
    if (typeof value === 'string') return value.startsWith('exact') ? EXACT : undefined;
    if (typeof value !== 'object' || Array.isArray(value)) return undefined;
    const members = value as Record<string, unknown>;
    const own = {
      atol: numberOf(members.atol) ?? this.#base.atol ?? 0,
      rtol: numberOf(members.rtol) ?? this.#base.rtol ?? 0,
    };
    const rows = Object.entries(members).flatMap(([key, row]) => {
      const index = /^row(\d+)$/.exec(key)?.[1];
      const { atol, rtol } = (row ?? {}) as Record<string, unknown>;
      const states = numberOf(atol) !== undefined || numberOf(rtol) !== undefined;
      if (index === undefined || !states) return [];
      return [[Number(index), { atol: numberOf(atol) ?? 0, rtol: numberOf(rtol) ?? 0 }] as const];
    });
    const ofForm = form === undefined ? undefined : members[form];
    const bounds = typeof ofForm === 'number' ? { ...own, atol: ofForm } : { ...own, ...(ofForm as object) };
    return { ...bounds, exact: false, rows: new Map(rows) };
  }
}

const numberOf = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined);

/** A key names a part of a name that it equals, or that goes on with a number or an underscore; `*` stands for anything. */
function namesPart(key: string, part: string): boolean {
  const pattern = key.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*');
  return new RegExp(`^${pattern}(_.*|\\d+)?$`).test(part);
}

/** `gradAtol: x` as `grad: { atol: x }`. */
function prefixed(statements: ToleranceStatements): ToleranceStatements {
  let result: ToleranceStatements = {};
  for (const [key, value] of Object.entries(statements)) {
    const [, name, bound] = /^(\w+)([AR]tol)$/.exec(key) ?? [];
    const entry = name && bound ? { [name]: { [bound.toLowerCase()]: value } } : { [key]: value };
    result = merged(result, entry);
  }
  return result;
}

/** Both, where a key of both has the members of both. */
function merged(first: ToleranceStatements, second: ToleranceStatements): ToleranceStatements {
  const result: Record<string, ToleranceStatement> = { ...first };
  for (const [key, value] of Object.entries(second)) {
    const own = result[key];
    const both = typeof own === 'object' && typeof value === 'object';
    result[key] = both ? { ...own, ...value } : value;
  }
  return result;
}

/** Rules of all keys; objects that state no bound (measurements beside the tolerances) are left out. */
function rulesOf(statements: ToleranceStatements): Rule[] {
  return Object.entries(statements)
    .filter(([, value]) => {
      if (typeof value !== 'object') return typeof value === 'string';
      return Object.keys(value).some((key) => /^([ar]tol|row\d+)$/.test(key));
    })
    .map(([key, value]) => ({ keys: key.split(',').map((part) => part.trim()), value }));
}
