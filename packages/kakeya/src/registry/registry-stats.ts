import { breakEven } from '../set/accounting.js';
import type { SetStats } from '../set/set-stats.js';
import type { MemorySample } from './memory-samples.js';
import type { MapOrigin, SetsBuild } from './registry-build.js';

export interface RegistrySetStats extends SetStats {
  readonly owner: string;
  readonly mapOrigin: MapOrigin | null;
  readonly fidelity: number | null;
  readonly solveError: number | null;
  readonly meanRelErr: number | null;
  /** Memories that the set skipped because a field was missing. */
  readonly skipped: number;
}

/** Bytes of a registry that holds `entries` memories. */
export interface RegistryStats {
  readonly entries: number;
  readonly activeSets: number;
  readonly sets: readonly RegistrySetStats[];
  /** Every routed field once per memory, float32. */
  readonly originalBytes: number;
  readonly skeletonBytes: number;
  readonly mapBytes: number;
  readonly recordBytes: number;
  /** Raw memories kept for rebuilding; 0 in parity mode. */
  readonly reservoirBytes: number;
  /** skeletons + maps + records + reservoir. */
  readonly compressedBytes: number;
  readonly ratio: number;
  readonly breakEvenN: number | null;
}

/** Adds per-set figures up over the maps of the build and the raw memories in the reservoir. */
export function registryStats(
  sets: readonly RegistrySetStats[],
  entries: number,
  build: SetsBuild | null,
  samples: readonly MemorySample[],
): RegistryStats {
  const totals = { entries, ...numbersIn(build, samples) };
  const sum = (pick: (set: RegistrySetStats) => number) => sets.reduce((total, set) => total + pick(set), 0);
  const skeletonBytes = sum((set) => set.skeletonBytes);
  const entryBytes = sum((set) => set.entryBytes);
  const mapBytes = 4 * totals.mapNumbers;
  const reservoirBytes = 4 * totals.reservoirNumbers;
  const fixed = skeletonBytes + mapBytes + reservoirBytes;
  const originalBytes = 4 * totals.fieldWidths * totals.entries;
  const recordBytes = entryBytes * totals.entries;
  return {
    entries: totals.entries,
    activeSets: sets.filter((set) => set.active).length,
    sets,
    originalBytes,
    skeletonBytes,
    mapBytes,
    recordBytes,
    reservoirBytes,
    compressedBytes: fixed + recordBytes,
    ratio: originalBytes / Math.max(fixed + recordBytes, 1),
    breakEvenN: breakEven(fixed, 4 * totals.fieldWidths, entryBytes),
  };
}

function numbersIn(build: SetsBuild | null, samples: readonly MemorySample[]) {
  const widths = new Map<string, number>();
  for (const offsets of build?.offsets ?? []) {
    for (const [field, [start, end]] of Object.entries(offsets ?? {})) widths.set(field, end - start);
  }
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  return {
    fieldWidths: sum([...widths.values()]),
    mapNumbers: sum([...(build?.maps.values() ?? [])].map(({ map }) => map.data.length)),
    reservoirNumbers: sum(
      samples.flatMap(({ fields, base }) =>
        [...Object.values(fields), ...Object.values(base)].map((v) => v.length),
      ),
    ),
  };
}
