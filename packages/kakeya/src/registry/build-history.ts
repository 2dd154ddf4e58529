import { expect } from '../errors.js';
import type { KakeyaSet } from '../set/kakeya-set.js';
import type { CompressedVec } from '../set/record.js';
import type { KakeyaHandle } from './kakeya-handle.js';
import type { SetsBuild } from './registry-build.js';

/** The current build of a registry and those whose records have not been migrated yet. */
export class BuildHistory {
  current: SetsBuild | null = null;
  epoch = 0;
  readonly retired = new Map<number, SetsBuild>();
  /** Parity mode: one build, and records are decoded with it whatever their epoch. */
  readonly #forgetful: boolean;

  constructor(forgetful: boolean) {
    this.#forgetful = forgetful;
  }

  get sets(): readonly KakeyaSet[] {
    return this.current?.sets ?? [];
  }

  /** Makes `build` current; the one before stays readable. */
  adopt(build: SetsBuild): void {
    if (this.current !== null && !this.#forgetful) this.retired.set(this.epoch, this.current);
    this.current = build;
    this.epoch++;
  }

  /** One field of one record, or null when the record's set does not hold the field. */
  decode(record: CompressedVec, field: string): Float32Array | null {
    const build = this.#buildOf(record);
    const slice = build.offsets[record.setIdx]?.[field];
    if (slice === undefined) return null;
    return build.sets[record.setIdx]!.decode(record).slice(slice[0], slice[1]);
  }

  /** Record of smallest relative error in the field; the lowest set wins a tie. */
  best(records: readonly CompressedVec[], field: string): CompressedVec {
    const errorOf = (record: CompressedVec) => {
      const position = this.#buildOf(record).sets[record.setIdx]!.compressedFields.indexOf(field);
      return record.fieldRelErr[position] ?? record.relErr;
    };
    return records.reduce((best, record) => (errorOf(record) < errorOf(best) ? record : best));
  }

  /** The record as the current build codes it: decoded with its own build, encoded with the new. */
  reencoded(record: CompressedVec): CompressedVec {
    if (record.epoch === this.epoch) return record;
    const set = this.sets[record.setIdx];
    expect(set?.isActive === true, () => {
      return `Set ${record.setIdx} is not active in the current build, so its old records cannot be migrated; build with its fields first.`;
    });
    return set.encode(this.#buildOf(record).sets[record.setIdx]!.decode(record));
  }

  /** Every field of a handle, decoded by its best record. */
  decodeAll(handle: KakeyaHandle): Record<string, Float32Array> {
    const decoded: Record<string, Float32Array> = {};
    for (const field of handle.fields()) {
      const value = this.decode(this.best(handle.entries[field]!, field), field);
      if (value !== null) decoded[field] = value;
    }
    return decoded;
  }

  #buildOf(record: CompressedVec): SetsBuild {
    const build =
      this.#forgetful || record.epoch === this.epoch ? this.current : this.retired.get(record.epoch);
    expect(build !== null && build !== undefined && build.sets[record.setIdx] !== undefined, () => {
      return `A record of set ${record.setIdx} was made by build ${record.epoch}, which this registry does not hold (current: ${this.epoch}); it was not migrated or belongs elsewhere.`;
    });
    return build;
  }
}
