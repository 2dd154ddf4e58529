import { formatBytes, formatNumber } from '../format.js';
import { type Comparison, compare, type Measured, type Rule } from './compare.js';

/** Who takes part, with what was measured of it. */
export interface Standing extends Measured {
  /** As the table calls it. */
  readonly name: string;
  /** Entries of one model differ in size. */
  readonly model: string;
  /** The model without its size. */
  readonly title: string;
  /** A mechanism of its own standing, not a control that it is compared with. */
  readonly isOwn: boolean;
  readonly stateBytes?: number | undefined;
}

/** One column of a table, to be told in words. */
export interface Contest {
  readonly unit: string;
  readonly higherIsBetter: boolean;
  readonly standings: readonly Standing[];
  /** Value of a blind guess, where there is one. */
  readonly chance?: number | undefined;
  /** Cells that gave no value: who, and why. */
  readonly failed?: readonly { readonly name: string; readonly reason: string }[];
}

/** Bytes within this share of each other count as equal. */
const EQUAL_BYTES = 0.05;
/** More names than this are counted, not listed. */
const MOST_NAMES = 4;
/** Points of half an interval from which seeds are not called alike. */
const FAR_APART = 20;

/**
 * What a column says, in sentences: who is first and by how much, or that nobody is; how the mechanisms of their own stand,
 * losses as plainly as wins; how they stand against what needs no more bytes; what has no value.
 */
export function verdictSentences(contest: Contest): string[] {
  const ranked = ranking(contest);
  return [
    ...(ranked.length === 0 ? ['Nothing was measured.'] : [firstSentence(ranked, contest)]),
    ...(ranked.length > 1 ? ownSentences(ranked, contest) : []),
    ...(ranked.length > 1 ? bytesSentences(contest) : []),
    ...failedSentences(contest),
  ];
}

/** The best entry of every model, best first. */
export function ranking({ standings, higherIsBetter }: Contest): Standing[] {
  const sign = higherIsBetter ? -1 : 1;
  const sorted = standings
    .filter(({ value }) => Number.isFinite(value))
    .sort((a, b) => sign * (a.value - b.value));
  return sorted.filter(({ model }, index) => sorted.findIndex((other) => other.model === model) === index);
}

function firstSentence(ranked: readonly Standing[], contest: Contest): string {
  const [first, ...others] = ranked as [Standing, ...Standing[]];
  const value = `${first.name} with ${valueWords(first, contest)}`;
  if (others.length === 0) return `Only ${value} was measured: there is nobody to compare it with.`;
  const judged = others.map((other) => ({ other, ...compareIn(contest, first, other) }));
  const those = (outcome: Comparison['outcome']) => judged.filter((one) => one.outcome === outcome);
  const [equal, noise, unknown] = [those('equal'), those('noise'), those('unknown')];
  const level = [...equal, ...noise];
  if (level.length === judged.length) {
    return `Nobody is first: ${value} has the best value, and all others are equal or within noise (${rulesOf(judged)}).`;
  }
  const next = judged.find((one) => !level.includes(one))!;
  if (level.length > 0) {
    const doubt = next.outcome === 'unknown' ? ' in this one seed' : '';
    const ends = [
      ...(equal.length > 0 ? [`exactly equal: ${list(equal)}`] : []),
      ...(noise.length > 0 ? [`within noise of it: ${list(noise)}`] : []),
      `the next is ${next.other.name}, ${gapWords(next, next.other, contest)} behind${doubt}`,
    ];
    return `Nobody is first alone: ${value} has the best value; ${ends.join('; ')} (${rulesOf([...level, next])}).`;
  }
  const gap = `${gapWords(next, next.other, contest)} ahead of ${next.other.name}, the next`;
  if (next.outcome === 'unknown') return `Best value: ${value}, ${gap}; ${rulesOf([next])}.`;
  const known = `${value}, ${gap} (${rulesOf([next])})`;
  // Who is ahead of the next alone is not yet first.
  return unknown.length > 0
    ? `Best value: ${known}; ahead of ${list(unknown)} in one seed alone, which does not tell the noise between runs.`
    : `First: ${known}.`;
}

type Judged = Comparison & { readonly other: Standing };

/** Where the mechanisms of their own stand beside the first, unless the first is one of them alone. */
function ownSentences(ranked: readonly Standing[], contest: Contest): string[] {
  const [first, ...others] = ranked as [Standing, ...Standing[]];
  const parts = others.flatMap((own, index) => {
    if (!own.isOwn) return [];
    const place = `place ${index + 2} of ${ranked.length}, ${valueWords(own, contest)}`;
    const against = compareIn(contest, first, own);
    const guess = blindWords(own, contest);
    if (against.outcome === 'equal') return [`${own.name} is exactly equal`];
    if (against.outcome === 'noise') return [`${own.name} is within noise (${place}${guess})`];
    const gap = gapWords(against, own, contest);
    return against.outcome === 'unknown'
      ? [`${own.name} is ${gap} behind in this one seed (${place}${guess})`]
      : [`${own.name} loses by ${gap} (${place}${guess})`];
  });
  return parts.length === 0 ? [] : [`Beside ${first.name}: ${parts.join('; ')}.`];
}

/**
 * What is said of a value that chance explains, as far as its errors tell: where seeds are far apart, one that learned and one
 * that did not, that is not the same as knowing nothing.
 */
function blindWords(own: Standing, { chance, higherIsBetter, unit }: Contest): string {
  if (chance === undefined) return '';
  const blind = { value: chance, bySeed: [], isExact: true };
  const { difference, margin, outcome } = compare(own, blind, higherIsBetter);
  if (difference > 0 && outcome !== 'noise') return '';
  const isFar = difference > 0 && margin !== undefined && margin > FAR_APART && unit === '%';
  return isFar
    ? ', its seeds so far apart that a blind guess is within noise'
    : ', no better than a blind guess';
}

/** Every size of every mechanism of its own beside the best of the others that needs no more bytes. */
function bytesSentences(contest: Contest): string[] {
  const owners = [...new Set(contest.standings.filter(({ isOwn }) => isOwn).map(({ model }) => model))];
  const parts = owners.flatMap((model) => {
    const sizes = contest.standings
      .filter((own) => own.model === model && own.stateBytes !== undefined && Number.isFinite(own.value))
      .sort((a, b) => a.stateBytes! - b.stateBytes!);
    const told = sizes.flatMap((own) => againstFewerBytes(own, contest));
    return told.length === 0 ? [] : [`${sizes[0]!.title} ${told.join(', ')}`];
  });
  return parts.length === 0 ? [] : [`At equal bytes or fewer: ${parts.join('; ')}.`];
}

function againstFewerBytes(own: Standing, contest: Contest): string[] {
  const bytes = own.stateBytes!;
  const rivals = ranking({
    ...contest,
    standings: contest.standings.filter(
      ({ model, stateBytes }) =>
        model !== own.model &&
        stateBytes !== undefined &&
        stateBytes > 0 &&
        stateBytes <= bytes * (1 + EQUAL_BYTES),
    ),
  });
  const [rival] = rivals;
  const at = `with ${formatBytes(bytes)}`;
  if (!rival) return bytes > 0 ? [`${at} has nobody beside it`] : [];
  const against = compareIn(contest, own, rival);
  const isEqual = Math.abs(rival.stateBytes! - bytes) <= EQUAL_BYTES * bytes;
  const whom = `${rival.name} (${isEqual ? 'equal bytes' : formatBytes(rival.stateBytes!)})`;
  if (against.outcome === 'equal') return [`${at} is equal to ${whom}`];
  if (against.outcome === 'noise') return [`${at} is within noise of ${whom}`];
  const side = against.difference > 0 ? 'ahead of' : 'behind';
  const doubt = against.outcome === 'unknown' ? ' in this one seed' : '';
  return [`${at} is ${gapWords(against, rival, contest)} ${side} ${whom}${doubt}`];
}

function failedSentences({ failed = [] }: Contest): string[] {
  const reasons = new Map<string, string>();
  for (const { name, reason } of failed) if (!reasons.has(name)) reasons.set(name, reason);
  return [...reasons].map(([name, reason]) => `${name} could not be computed: ${reason.replace(/\.$/, '')}.`);
}

const compareIn = ({ higherIsBetter }: Contest, one: Standing, other: Standing) =>
  compare(one, other, higherIsBetter);

function valueWords({ value }: Measured, { unit }: Contest): string {
  return `${formatNumber(value)} ${unit}`.trim();
}

/** Units whose zero means nothing at all: factors say more than differences there. */
const RATIOS = new Set(['tokens/s', 'ms', 's', 'bytes']);

/** How large a difference is, with its interval. */
function gapWords(
  { difference, margin }: Comparison,
  than: Measured,
  { unit, higherIsBetter }: Contest,
): string {
  const size = Math.abs(difference);
  if (RATIOS.has(unit) && than.value > 0) {
    const sign = higherIsBetter ? 1 : -1;
    const factor = (than.value + sign * difference) / than.value;
    return `a factor of ${formatNumber(Number((factor >= 1 ? factor : 1 / factor).toPrecision(3)))}`;
  }
  const digits = Number(size.toPrecision(3));
  const interval = margin ? ` ± ${formatNumber(Number(margin.toPrecision(2)))}` : '';
  return `${formatNumber(digits)}${interval} ${unit === '%' ? 'points' : unit}`.trim();
}

const RULES: Readonly<Record<Rule, string>> = {
  paired: 'paired by seed, 95 %',
  apart: 'seeds not shared, 95 %',
  samples: 'one seed: no noise between runs is known',
  none: 'one seed: no noise between runs is known',
  exact: 'counted, without chance',
};
const rulesOf = (judged: readonly Judged[]) => [...new Set(judged.map(({ rule }) => RULES[rule]))].join('; ');

function list(judged: readonly Judged[]): string {
  const names = judged.map(({ other }) => other.name);
  if (names.length <= MOST_NAMES + 1) return names.join(', ');
  return `${names.slice(0, MOST_NAMES).join(', ')} and ${names.length - MOST_NAMES} more`;
}
