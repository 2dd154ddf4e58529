import { type BundleName, bundleNames } from '../config.js';
import { expect } from '../errors.js';

/** One set: the bundle whose axis orients it, and the memory fields it concatenates. */
export interface RoutingEntry {
  readonly owner: BundleName;
  readonly fields: readonly string[];
}

/** The four sets of the reference. */
export const defaultRouting: readonly RoutingEntry[] = [
  { owner: 'time', fields: ['semantic_emb'] },
  { owner: 'topic', fields: ['semantic_emb', 'content_wte_mean'] },
  { owner: 'ctx', fields: ['context_descriptor'] },
  { owner: 'topic', fields: ['content_wte_mean'] },
];

/** Throws on fewer than two sets, an unknown owner, or a set without distinct non-empty field names. */
export function checkRouting(routing: readonly RoutingEntry[]): void {
  expect(routing.length >= 2, () => {
    return `The routing has ${routing.length} sets; the multiple-sets rule asks for at least two.`;
  });
  routing.forEach((entry, index) => {
    expect(bundleNames.includes(entry.owner), () => {
      return `Routing entry ${index}: the owner is "${entry.owner}"; it must be one of ${bundleNames.join(', ')}.`;
    });
    const named = entry.fields.length > 0 && entry.fields.every((f) => typeof f === 'string' && f !== '');
    expect(named && new Set(entry.fields).size === entry.fields.length, () => {
      return `Routing entry ${index}: the fields must be at least one non-empty name, each once.`;
    });
  });
}

/** Key of the base-to-field map of an entry; sets with the same key share one map. */
export function mapKey(entry: RoutingEntry): string {
  return `${entry.owner}::${entry.fields.join('+')}`;
}
