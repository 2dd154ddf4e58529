import type { KakeyaConfig } from '../config.js';
import { pushforward } from '../set/alignment.js';
import type { BundleAxes, SetsBuild } from './registry-build.js';
import { mapKey, type RoutingEntry } from './routing.js';

/** Share of the axis that the PCA space must see in a set with a ridge map. */
const FEWEST_FIDELITY = 0.9;

export interface InvariantInput {
  readonly config: KakeyaConfig;
  readonly routing: readonly RoutingEntry[];
  readonly build: SetsBuild | null;
  /** Entries in the store. */
  readonly n: number;
  readonly axes?: BundleAxes | undefined;
  /** Running mean error per set. */
  readonly means: readonly (number | null)[];
  /** Wide fields that no active set took. */
  readonly unrouted: Iterable<string>;
}

/** One message per broken invariant; see {@link KakeyaRegistry.verifyInvariants}. */
export function brokenInvariants(input: InvariantInput): string[] {
  const { config, build, n } = input;
  const active = (build?.sets ?? []).filter((set) => set.isActive);
  const messages: string[] = [];
  if (config.mode === 'improved') {
    for (const field of input.unrouted) {
      messages.push(`invariant 2: field ${field} is wide enough to compress but no active set takes it.`);
    }
  }
  if (n >= config.kakeyaMinEntries && active.length < 2) {
    messages.push(`invariant 3: ${active.length} active sets at ${n} entries; at least two are required.`);
  }
  if (build !== null && input.axes !== undefined) messages.push(...misaligned(input, build, input.axes));
  if (config.mode === 'improved') messages.push(...inaccurate(input));
  return messages;
}

function misaligned(input: InvariantInput, build: SetsBuild, axes: BundleAxes): string[] {
  const messages: string[] = [];
  build.sets.forEach((set, setIdx) => {
    if (!set.isActive) return;
    const oriented = build.maps.get(mapKey(input.routing[setIdx]!));
    if (oriented === undefined) {
      messages.push(`invariant 4: set ${setIdx} has no base-to-field map.`);
      return;
    }
    const axis = pushforward(axes[set.ownerBundleName], oriented.map);
    const error = set.verifyAlignment(axis);
    if (error > input.config.kakeyaAlignmentTol) {
      messages.push(
        `invariant 4: set ${setIdx} has alignment error ${error.toExponential(2)}, above ${input.config.kakeyaAlignmentTol}.`,
      );
    }
    if (input.config.mode === 'parity' || oriented.origin !== 'ridge') return;
    const fidelity = set.fidelity(axis);
    if (fidelity >= FEWEST_FIDELITY) return;
    messages.push(
      `invariant 4: set ${setIdx} sees ${fidelity.toFixed(2)} of its axis, below ${FEWEST_FIDELITY}.`,
    );
  });
  return messages;
}

function inaccurate({ config, means }: InvariantInput): string[] {
  return means.flatMap((mean, setIdx) => {
    if (mean === null || mean <= config.kakeyaReconstructionTol) return [];
    return [
      `invariant 5: set ${setIdx} codes new entries with mean relative error ${mean.toFixed(3)}, above ${config.kakeyaReconstructionTol}.`,
    ];
  });
}
