import {
  type BundleName,
  type KakeyaHandle,
  KakeyaRegistry,
  presets as kakeyaPresets,
  type Matrix,
  matrixFromRows,
} from '@palimpsest/kakeya';
import type { NDArray } from '@palimpsest/tensor-core';
import type { MemoryConfig } from '../config.js';
import type { AdapterParameters } from './adapters.js';

/** The large vectors that describe a memory, `[dLLM]` each. */
export interface DescriptiveFields {
  readonly [field: string]: Float32Array;
  readonly semantic_emb: Float32Array;
  readonly content_wte_mean: Float32Array;
  readonly context_descriptor: Float32Array;
}

/** Base-to-field maps by `owner::field+field`; drawn at random where none are given. */
export type BaseToFieldMaps = Readonly<Record<string, Matrix>>;

const AXIS_FLOOR = 1e-8;

/** Unit axes of the three bundles. */
export function canonicalAxes(adapters: AdapterParameters<NDArray>): Record<BundleName, Float64Array> {
  const unit = ({ data }: NDArray) => {
    const length = Math.max(Math.hypot(...data), AXIS_FLOOR);
    return Float64Array.from(data, (value) => value / length);
  };
  return {
    time: unit(adapters.bundle_time._axis_raw),
    topic: unit(adapters.bundle_topic._axis_raw),
    ctx: unit(adapters.bundle_ctx._axis_raw),
  };
}

/** A registry for the descriptive fields, with the published arithmetic when they are built once. */
export function descriptiveRegistry(config: MemoryConfig): KakeyaRegistry {
  const { nKakeyaSets, kakeyaVarianceRatio, kakeyaK, kakeyaDRes, kakeyaMinEntries } = config;
  const { kakeyaAlignmentTol, kakeyaReconstructionTol, compressionMinDim, dTime, dTopic, dCtx } = config;
  return new KakeyaRegistry({
    ...(config.kakeyaRebuild === 'once' ? kakeyaPresets.reference : { rebuildPolicy: 'doubling' }),
    nKakeyaSets,
    kakeyaVarianceRatio,
    kakeyaK,
    kakeyaDRes,
    kakeyaMinEntries,
    kakeyaAlignmentTol,
    kakeyaReconstructionTol,
    compressionMinDim,
    dTime,
    dTopic,
    dCtx,
  });
}

/** Codes of the descriptive fields: raw until there are enough memories, then records of Kakeya sets. */
export class FieldCodes {
  readonly #pending = new Map<number, DescriptiveFields>();

  constructor(
    readonly registry: KakeyaRegistry,
    private readonly minEntries: number,
    private readonly maps?: BaseToFieldMaps,
  ) {}

  get active(): boolean {
    return this.registry.sets.some((set) => set.isActive);
  }

  /** Codes the fields of a new memory, or keeps them until there are sets. */
  encode(mid: number, fields: DescriptiveFields): KakeyaHandle | undefined {
    if (this.active) return this.registry.encodeMemoryFields(fields);
    this.#pending.set(mid, fields);
    return undefined;
  }

  /** Drops what is kept of a memory that was removed. */
  remove(mid: number): void {
    this.#pending.delete(mid);
  }

  /**
   * Builds the sets once there are enough memories, or again when they have doubled.
   * @param handles of all memories that have one, by id
   * @returns handles of the memories whose codes are new, by id
   */
  update(
    count: number,
    axes: Record<BundleName, Float64Array>,
    handles: ReadonlyMap<number, KakeyaHandle>,
  ): ReadonlyMap<number, KakeyaHandle> {
    if (!this.active) return count >= this.minEntries ? this.#buildFirst(axes) : new Map();
    const known = [...handles];
    if (
      !this.registry.rebuildIfNeeded(
        count,
        known.map(([, handle]) => handle),
      )
    )
      return new Map();
    const migrated = this.registry.migrate(known.map(([, handle]) => handle));
    return new Map(known.map(([mid], i) => [mid, migrated[i]!]));
  }

  #buildFirst(axes: Record<BundleName, Float64Array>): ReadonlyMap<number, KakeyaHandle> {
    const waiting = [...this.#pending].sort(([a], [b]) => a - b);
    const column = (field: keyof DescriptiveFields & string) =>
      matrixFromRows(waiting.map(([, fields]) => fields[field]!));
    const corpus = {
      semantic_emb: column('semantic_emb'),
      content_wte_mean: column('content_wte_mean'),
      context_descriptor: column('context_descriptor'),
    };
    this.registry.build(corpus, axes, this.maps ? { maps: this.maps } : {});
    const handles = waiting.map(([mid, fields]) => [mid, this.registry.encodeMemoryFields(fields)] as const);
    this.#pending.clear();
    return new Map(handles);
  }
}
