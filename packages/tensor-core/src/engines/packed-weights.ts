import { nodeModule } from '@palimpsest/base';
import protobuf from 'protobufjs/minimal.js';
import { encodeModel } from '../onnx/protobuf.js';
import type { StoredArray } from '../stored-array.js';
import { GraphBuilder, type GraphNode, type Value } from '../trace/graph.js';
import type { OnnxRuntime } from './onnx-runtime.js';
import type { StoredPlaces } from './stored-places.js';

/** Bytes of matrices that are rearranged in one go; so much memory is needed beside what stays. */
const GROUP_BYTES = 2 ** 25;
const PAGE = 4096;

/**
 * Keeps the form that the runtime gives to matrices of few bits in files, so that all graphs share one copy: without, each
 * session makes its own, and without that form a product takes a hundred times as long.
 */
export class PackedWeights {
  readonly #done = new Set<StoredArray>();
  #last: Promise<void> = Promise.resolve();
  #files = 0;

  constructor(
    private readonly runtime: OnnxRuntime,
    private readonly places: StoredPlaces,
    private readonly engineId: number,
  ) {}

  /** Rearranges the matrices of these products that are not yet. */
  async pack(products: readonly GraphNode[]): Promise<void> {
    this.#last = this.#last.then(() => this.#packAll(products));
    return this.#last;
  }

  async #packAll(products: readonly GraphNode[]): Promise<void> {
    let group: GraphNode[] = [];
    let bytes = 0;
    for (const node of products) {
      const matrix = node.inputs[1]!.stored!;
      if (this.#done.has(matrix)) continue;
      this.#done.add(matrix);
      group.push(node);
      bytes += matrix.byteLength;
      if (bytes < GROUP_BYTES) continue;
      await this.#packGroup(group);
      [group, bytes] = [[], 0];
    }
    if (group.length > 0) await this.#packGroup(group);
  }

  async #packGroup(products: readonly GraphNode[]): Promise<void> {
    const { dirname, join } = nodeModule('node:path');
    const matrices = products.map(({ inputs }) => inputs[1]!.stored!);
    this.#files += 1;
    const base = join(dirname(matrices[0]!.file), `packed-${process.pid}-${this.engineId}-${this.#files}`);
    const { bytes, names } = this.#model(products);
    const files = { folder: this.places.root, isPacked: true };
    try {
      const choices = { isSmall: true, ownsMemory: false, saveTo: `${base}.onnx` };
      const session = await this.runtime.createSession({ bytes, external: [], files }, choices);
      await session.release();
      this.#collect(base, matrices, names);
    } catch {
      // Such as a full disk: every session then makes a copy of its own, which costs memory alone.
    } finally {
      for (const end of ['.onnx', '.onnx.data']) nodeModule('node:fs').rmSync(base + end, { force: true });
    }
  }

  /** Brings what the runtime wrote of each matrix into a file in which everything begins at a page. */
  #collect(base: string, matrices: readonly StoredArray[], names: ReadonlyMap<StoredArray, string>): void {
    const fs = nodeModule('node:fs');
    const entries = externalEntries(fs.readFileSync(`${base}.onnx`));
    const written = fs.openSync(`${base}.onnx.data`, 'r');
    const file = fs.openSync(`${base}.data`, 'wx');
    let end = 0;
    const put = (bytes: Uint8Array): number => {
      const offset = end;
      for (let done = 0; done < bytes.length; ) {
        done += fs.writeSync(file, bytes, done, bytes.length - done, offset + done);
      }
      end = Math.ceil((end + bytes.length) / PAGE) * PAGE;
      return offset;
    };
    const take = (offset: number, length: number) => {
      const bytes = new Uint8Array(length);
      fs.readSync(written, bytes, 0, length, offset);
      return bytes;
    };
    try {
      for (const matrix of matrices) {
        const { location: _, offset: _o, length: _l, ...packed } = entries.get(names.get(matrix)!) ?? {};
        const notes = Object.entries(packed).map(([key, note]) => [key, movedNote(note, take, put)]);
        if (notes.length > 0)
          this.places.move(matrix, `${base}.data`, put(matrix.read()), Object.fromEntries(notes));
      }
    } finally {
      fs.closeSync(written);
      fs.closeSync(file);
    }
  }

  /** A graph of the products, each with one row. */
  #model(products: readonly GraphNode[]) {
    const graph = new GraphBuilder('matrices');
    const names = new Map<StoredArray, string>();
    const inputs: { name: string; value: Value }[] = [];
    const outputs = products.map((node, index) => {
      const [rows, packed, scales] = node.inputs;
      const row = graph.input([1, rows!.shape.at(-1)!], 'float32');
      inputs.push({ name: `x${index}`, value: row });
      const constants = [packed, scales].map((value) => graph.stored(value!.stored!));
      const shape = [1, node.outputs[0]!.shape.at(-1)!];
      const value = graph.node(
        node.op,
        [row, ...constants],
        { shape, dtype: 'float32' },
        node.attributes,
        node.domain,
      );
      return { name: `y${index}`, value };
    });
    const { bytes } = encodeModel('matrices', inputs, outputs, (name, _bytes, stored) => {
      if (stored) names.set(stored, name);
      return stored && this.places.placeOf(stored);
    });
    return { bytes, names };
  }
}

/**
 * A note of the runtime with its blocks at other places: a key, then offset, length and checksum of each block. Blocks hold
 * parts that are aligned in memory, so that they have to begin at pages, where the runtime wrote them one behind the other.
 */
function movedNote(
  note: string,
  take: (offset: number, length: number) => Uint8Array,
  put: (bytes: Uint8Array) => number,
): string {
  const [key, ...blocks] = note.split('|');
  const moved = blocks.map((block) => {
    const [offset, length, ...rest] = block.split(';');
    return [put(take(Number(offset), Number(length))), length, ...rest].join(';');
  });
  return [key, ...moved].join('|');
}

/** Field numbers of ModelProto, GraphProto, TensorProto and StringStringEntryProto. */
const FIELD = { graph: 7, initializer: 5, name: 8, external: 13, key: 1, value: 2 } as const;

/** Where the constants of a model lie outside of it, by name. */
function externalEntries(model: Uint8Array): Map<string, Record<string, string>> {
  const found = new Map<string, Record<string, string>>();
  eachField(model, FIELD.graph, (graph) => {
    eachField(graph, FIELD.initializer, (tensor) => {
      let name = '';
      const entries: Record<string, string> = {};
      eachField(tensor, FIELD.name, (bytes) => {
        name = text(bytes);
      });
      eachField(tensor, FIELD.external, (entry) => {
        const pair = { key: '', value: '' };
        eachField(entry, FIELD.key, (bytes) => {
          pair.key = text(bytes);
        });
        eachField(entry, FIELD.value, (bytes) => {
          pair.value = text(bytes);
        });
        entries[pair.key] = pair.value;
      });
      found.set(name, entries);
    });
  });
  return found;
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** Visits the length-delimited fields of a number in a message. */
function eachField(bytes: Uint8Array, field: number, visit: (value: Uint8Array) => void): void {
  const reader = protobuf.Reader.create(bytes);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag >>> 3 === field && (tag & 7) === 2) visit(reader.bytes());
    else reader.skipType(tag & 7);
  }
}
