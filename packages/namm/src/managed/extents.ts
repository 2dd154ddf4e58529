/** Slots that are added at a time while single tokens come. */
export const ROOM = 64;

/** Tokens that there is room for, at most, when a text is read on the processor: making it moves the whole memory. */
export const HOST_ROOM = 512;

/** The next of few extents, so that few graphs are made: multiples of 16, from 64 on of 64, from 1024 on of 256. */
export function rung(slots: number): number {
  const step = slots <= 64 ? 16 : slots <= 1024 ? 64 : 256;
  return Math.max(step, Math.ceil(slots / step) * step);
}

/**
 * Slots of every layer after an update: those of the longest, halved as often as a layer fits into them. Layers that keep far less
 * take less, and the combinations that occur stay few.
 * @param kept longest head of every layer
 */
export function extentsAfter(kept: readonly number[]): number[] {
  const longest = rung(Math.max(...kept, 1));
  return kept.map((count) => {
    let extent = longest;
    while (extent % 2 === 0 && extent / 2 >= Math.max(count, 8)) extent /= 2;
    return extent;
  });
}
