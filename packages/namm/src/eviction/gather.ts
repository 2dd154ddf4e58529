import { allocate, type NDArray, sizeOf } from '@palimpsest/tensor-core';

/**
 * Rows of kept tokens on the host.
 * @param values `[batch, heads, tokens, ...]`
 * @param kept int32 `[batch, heads, most]`, -1 for none, which becomes `empty`
 * @returns `[batch, heads, most, ...]`
 */
export function gatherRows<A extends NDArray>(values: A, kept: NDArray, empty = 0): A {
  const [batch, heads, tokens, ...rest] = values.shape as [number, number, number, ...number[]];
  const most = kept.shape[2]!;
  const width = sizeOf(rest);
  const data = allocate(values.dtype, batch * heads * most * width);
  data.fill(empty);
  for (let place = 0; place < batch * heads * most; place++) {
    const index = kept.data[place]!;
    if (index < 0) continue;
    const from = (Math.floor(place / most) * tokens + index) * width;
    for (let i = 0; i < width; i++) data[place * width + i] = values.data[from + i]!;
  }
  return { ...values, data, shape: [batch, heads, most, ...rest] };
}

/**
 * The same for companions whose tokens stand on the last axis: `[batch, heads, width, tokens]` to `[batch, heads, width, most]`.
 */
export function gatherColumns(values: NDArray, kept: NDArray): NDArray {
  const [batch, heads, width, tokens] = values.shape as [number, number, number, number];
  const most = kept.shape[2]!;
  const data = allocate(values.dtype, batch * heads * width * most);
  for (let list = 0; list < batch * heads; list++) {
    for (let row = 0; row < width; row++) {
      const [from, to] = [(list * width + row) * tokens, (list * width + row) * most];
      for (let i = 0; i < most; i++) {
        const index = kept.data[list * most + i]!;
        if (index >= 0) data[to + i] = values.data[from + index]!;
      }
    }
  }
  return { ...values, data, shape: [batch, heads, width, most] };
}
