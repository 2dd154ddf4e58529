import type { KakeyaRegistry } from '@palimpsest/kakeya';
import type { NDArray } from '@palimpsest/tensor-core';

/** Rows that are measured. */
const MOST_ROWS = 4;
const FLOOR = 1e-8;

/**
 * Mean relative error of pooled states that go through the sets of the descriptive fields and back; 0 while there are none. A
 * metric without gradient.
 * @param hidden `[rows, dLLM]`
 */
export function reconstruction(registry: KakeyaRegistry, { data, shape }: NDArray): number {
  if (!registry.sets.some((set) => set.isActive)) return 0;
  const [rows, width] = shape as [number, number];
  const errors: number[] = [];
  for (let row = 0; row < Math.min(rows, MOST_ROWS); row++) {
    const vector = Float32Array.from(data.slice(row * width, (row + 1) * width));
    const fields = {
      semantic_emb: vector,
      content_wte_mean: vector,
      context_descriptor: new Float32Array(width),
    };
    const decoded = registry.decodeField(registry.encodeMemoryFields(fields), 'semantic_emb');
    if (!decoded) continue;
    const length = Math.max(Math.hypot(...vector), FLOOR);
    errors.push(Math.hypot(...vector.map((value, i) => decoded[i]! - value)) / length);
  }
  return errors.length === 0 ? 0 : errors.reduce((sum, error) => sum + error, 0) / errors.length;
}
