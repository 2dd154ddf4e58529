/** Numbers that a head of `width` takes in the kernels' memory, whose rows are multiples of 4. */
export const headRoom = (width: number): number => Math.ceil(width / 4) * 4;

/** How numbers of heads are laid out: `[groups, width, inner]`, each head with room for more. */
export interface HeadLayout {
  readonly groups: number;
  readonly width: number;
  /** Numbers that belong together behind the head's axis. Default 1 */
  readonly inner?: number;
}

/** `[groups, headRoom, inner]` from `[groups, width, inner]`; what is beyond the width is 0, which changes no product. */
export function padHeads(values: ArrayLike<number>, layout: HeadLayout): ArrayLike<number> {
  return moved(values, layout, layout.width, headRoom(layout.width));
}

/** The way back from `padHeads`. */
export function stripHeads(values: Float32Array<ArrayBuffer>, layout: HeadLayout): Float32Array<ArrayBuffer> {
  return moved(values, layout, headRoom(layout.width), layout.width);
}

function moved<A extends ArrayLike<number>>(
  values: A,
  { groups, width, inner = 1 }: HeadLayout,
  from: number,
  to: number,
): A | Float32Array<ArrayBuffer> {
  if (from === to) return values;
  const result = new Float32Array(groups * to * inner);
  for (let group = 0; group < groups; group++) {
    for (let i = 0; i < width * inner; i++) {
      result[group * to * inner + i] = values[group * from * inner + i]!;
    }
  }
  return result;
}
