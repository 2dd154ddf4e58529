import type { Place } from '@palimpsest/base';
import type { PassPlan } from '../plan.js';
import type { Cache, HostRoom } from './host-room.js';
import type { HostMatrix } from './host-weights.js';

/** The passes of every layer over one text's keys, row by row. */
export class HostPasses {
  readonly #room: HostRoom;
  readonly #cache: Cache;

  constructor(room: HostRoom, cache: Cache) {
    this.#room = room;
    this.#cache = cache;
  }

  /** One row through all passes; its keys and values go into the column. Leaves the heads' outputs when they are wanted. */
  run(
    projections: readonly HostMatrix[],
    layer: number,
    input: Place,
    column: number,
    wanted: boolean,
  ): void {
    const { weights, scratch } = this.#room;
    const { packed, heads } = scratch;
    for (const plan of weights.plans) {
      const { keyWidth: k, packedWidth: e, scale, index } = plan;
      this.#room.multiply(packed, projections[index]!, index === 0 ? input : heads);
      this.#turn(plan, packed, column);
      this.#turn(plan, packed + k, column);
      const cache = this.#cache[layer]![index]!;
      cache.put(column, packed + k, packed + 2 * k, e);
      if (wanted || !plan.isLast) cache.attend(heads, packed, e, column + 1, scale);
    }
  }

  /** Rotary positions of all heads' rows. @param row number in the layout, which is the column */
  #turn({ index, packedWidth }: PassPlan, place: Place, row: number): void {
    const { angles, kernels, config } = this.#room.weights;
    const own = angles[index];
    if (!own) return;
    const [cos, sin] = [own.cos + row * own.pairs, own.sin + row * own.pairs];
    kernels.turn(place, config.numHeads, packedWidth, cos, sin, own.pairs);
  }
}
