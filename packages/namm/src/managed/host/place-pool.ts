import type { DecodingKernels, Place } from '@palimpsest/base';
import type { HostRoom } from '../../policy/host-observer.js';

interface Room {
  readonly place: Place;
  readonly count: number;
}

/** Room in the memory of kernels, which only grows: what was given back is taken first, neighbours together. */
export class PlacePool implements HostRoom {
  /** By place; no two of them touch. */
  #free: Room[] = [];

  constructor(private readonly kernels: DecodingKernels) {}

  /** Room for so many numbers, a multiple of 4; they are what was there before. None for 0. */
  take(count: number): Place {
    if (count === 0) return 0;
    const index = this.#free.findIndex((room) => room.count >= count);
    const room = this.#free[index];
    if (!room) return this.kernels.allocate(count);
    const rest = { place: room.place + count, count: room.count - count };
    this.#free.splice(index, 1, ...(rest.count > 0 ? [rest] : []));
    return room.place;
  }

  give(place: Place, count: number): void {
    if (count === 0) return;
    const rooms = [...this.#free, { place, count }].sort((a, b) => a.place - b.place);
    this.#free = [];
    for (const room of rooms) {
      const before = this.#free.at(-1);
      if (before && before.place + before.count === room.place) {
        this.#free.splice(-1, 1, { place: before.place, count: before.count + room.count });
      } else this.#free.push(room);
    }
  }
}
