import type { HostLayer } from '@palimpsest/backbone';
import type { Place } from '@palimpsest/base';
import { disposeTree, type NDArray, ndarray, type ToDevice } from '@palimpsest/tensor-core';
import type { ManagedLayer, ManagedState } from '../state.js';
import type { HostReader } from './host-reader.js';
import { entriesOf, type LayerShape, type TextWatch, watchOf } from './text-watch.js';

type DeviceState = ToDevice<ManagedState>;

/** A layer with the original positions of its entries, int32 `[heads, slots]`. */
interface HeldLayer extends HostLayer {
  readonly positions: Int32Array;
}

/** One text that is read token by token on the processor, with room for a number of tokens. */
export class HostText {
  #position: number;
  #seen: number;
  #room: number;

  private constructor(
    private readonly reader: HostReader,
    private readonly layers: readonly HeldLayer[],
    private readonly watch: TextWatch,
    { position, seen, room }: { readonly position: number; readonly seen: number; readonly room: number },
  ) {
    this.#position = position;
    this.#seen = seen;
    this.#room = room;
  }

  /**
   * Takes a memory over, if it is small enough and every head's entries stand side by side.
   * @param state of one text; its arrays are the host's from then on, if there is one
   * @param room for so many tokens
   */
  static async open(reader: HostReader, state: DeviceState, room: number): Promise<HostText | undefined> {
    const most = Math.max(...state.layers.map(({ positions }) => positions.shape[2]!)) + room;
    if (!reader.form.fits(most)) return undefined;
    const positions = await Promise.all(state.layers.map((layer) => layer.positions.toHost()));
    const shapes = positions.map((held) => entriesOf(held, room));
    if (!shapes.every((shape) => shape !== undefined)) return undefined;
    const layers: HeldLayer[] = [];
    for (const [index, shape] of shapes.entries()) {
      layers.push(await heldLayer(reader, state.layers[index]!, positions[index]!, shape));
    }
    const [position, seen] = [await state.position.data(), await state.seen.data()];
    const watch = await watchOf(
      reader,
      layers,
      state.layers.map(({ policy }) => policy),
    );
    const place = { position: position[0]!, seen: seen[0]!, room };
    disposeTree([state.position, state.seen]);
    disposeTree(state.layers.map(({ keys, values, positions: held }) => [keys, values, held]));
    return new HostText(reader, layers, watch, place);
  }

  /** Tokens that can be read before the memory has to be laid out anew. */
  get room(): number {
    return this.#room;
  }

  /** Bytes of keys and values. */
  get keyValueBytes(): number {
    return this.layers.reduce((sum, { slots }) => sum + 8 * this.reader.form.widthOf(slots), 0);
  }

  /** Bytes of the whole memory. */
  get bytes(): number {
    const positions = this.layers.reduce((sum, own) => sum + own.positions.byteLength, 0);
    return this.keyValueBytes + positions + this.watch.bytes + 8;
  }

  /** @returns logits, `[vocabSize]` */
  async read(id: number): Promise<Float32Array> {
    const { form } = this.reader;
    const logits = form.read(id, this.#position, this.layers, this.watch);
    for (const { positions, slots, end } of this.layers) {
      for (let at = end - 1; at < positions.length; at += slots) positions[at] = this.#position;
    }
    this.#position += 1;
    this.#seen += 1;
    this.#room -= 1;
    await this.watch.advance(this.#position);
    return logits;
  }

  /** The memory, in arrays that end with the newest entry. What waits is taken in first. */
  async state(): Promise<ManagedState<NDArray>> {
    const policies = await this.watch.policies(this.#position);
    const layers = this.layers.map((own, index): ManagedLayer<NDArray> => {
      const policy = policies[index];
      return { ...this.#entries(own), ...(policy && { policy }) };
    });
    const one = (value: number) => ndarray(Int32Array.of(value), [1], 'int32');
    return { position: one(this.#position), seen: one(this.#seen), layers };
  }

  #entries({ keys, values, positions, slots, first, end }: HeldLayer): ManagedLayer<NDArray> {
    const { kernels } = this.reader.form;
    const heads = first.length;
    const width = this.reader.form.widthOf(1) / heads;
    const rows = (place: Place) => {
      const data = new Float32Array(heads * end * width);
      for (let head = 0; head < heads; head++) {
        data.set(kernels.view(place + head * slots * width, end * width), head * end * width);
      }
      return ndarray(data, [1, heads, end, width]);
    };
    const held = new Int32Array(heads * end);
    for (let head = 0; head < heads; head++) {
      held.set(positions.subarray(head * slots, head * slots + end), head * end);
    }
    return {
      keys: rows(keys),
      values: rows(values),
      positions: ndarray(held, [1, heads, end], 'int32'),
    };
  }

  dispose(): void {
    const { pool, form } = this.reader;
    for (const { keys, slots } of this.layers) pool.give(keys, 2 * form.widthOf(slots));
    this.watch.dispose();
  }
}

async function heldLayer(
  { form, pool }: HostReader,
  { keys, values }: DeviceState['layers'][number],
  positions: NDArray,
  { first, end, slots }: LayerShape,
): Promise<HeldLayer> {
  const heads = first.length;
  const size = form.widthOf(slots);
  const place = pool.take(2 * size);
  const [taken, held] = [positions.shape[2]!, new Int32Array(heads * slots).fill(-1)];
  const width = size / (heads * slots);
  for (const [at, array] of [
    [place, keys],
    [place + size, values],
  ] as const) {
    const { data } = await array.toHost();
    for (let head = 0; head < heads; head++) {
      const from = head * taken * width;
      form.kernels.numbers.set(data.subarray(from, from + end * width), at + head * slots * width);
    }
  }
  for (let head = 0; head < heads; head++) {
    held.set((positions.data as Int32Array).subarray(head * taken, head * taken + end), head * slots);
  }
  return { keys: place, values: place + size, positions: held, slots, first, end };
}
