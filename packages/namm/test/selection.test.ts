import { ndarray, Rng } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { selectTokens } from '../src/eviction/select.js';

/** The rule in plain words: what passes, of that the best, and of equals the newer; the newest always. */
function expected(
  scores: readonly number[],
  valid: readonly boolean[],
  threshold: number,
  cap: number | null,
) {
  const present = scores.map((_, i) => i).filter((i) => valid[i]);
  const newest = present.at(-1)!;
  const value = (i: number) => (i === newest ? Number.POSITIVE_INFINITY : scores[i]!);
  const ranked = present.filter((i) => value(i) >= threshold).sort((a, b) => value(b) - value(a) || b - a);
  return ranked.slice(0, cap ?? ranked.length).sort((a, b) => a - b);
}

describe('what stays', () => {
  it('is what passes, the best of it under a cap, and of equals the newer', () => {
    const rng = Rng.fromSeed(6);
    for (let round = 0; round < 200; round++) {
      const tokens = 1 + rng.int(12);
      // Few different scores, so that many are equal.
      const scores = Array.from({ length: 2 * tokens }, () => rng.int(4) - 2);
      const valid = Array.from({ length: 2 * tokens }, (_, i) => i % tokens === 0 || rng.int(4) > 0);
      const cap = round % 3 === 0 ? null : 1 + rng.int(tokens);
      const threshold = rng.int(3) - 1;
      const { kept, lengths, passing } = selectTokens(
        ndarray(scores, [1, 2, tokens]),
        { kind: 'binary', cacheSize: cap, threshold: () => threshold, parity: false },
        ndarray(Uint8Array.from(valid, Number), [1, 2, tokens], 'bool'),
      );
      const most = kept.shape[2]!;
      for (const head of [0, 1]) {
        const own = scores.slice(head * tokens, (head + 1) * tokens);
        const shown = valid.slice(head * tokens, (head + 1) * tokens);
        const want = expected(own, shown, threshold, cap);
        const row = Array.from(kept.data.subarray(head * most, (head + 1) * most));
        expect(row).toEqual([...new Array(most - want.length).fill(-1), ...want]);
        expect(lengths.data[head]).toBe(want.length);
        expect(passing.data[head]).toBe(expected(own, shown, threshold, null).length);
      }
    }
  });
});
