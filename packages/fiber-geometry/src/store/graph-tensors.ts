import { InputError, type SafeTensor } from '@palimpsest/tensor-core';
import type { SavedGraph } from '../indexes/vector-index.js';
import type { GraphName, SavedGraphs } from './direction-indexes.js';

const NAMES: readonly GraphName[] = ['joint', 'time', 'topic', 'ctx'];

/** Graphs of a store as tensors of its file: `index.NAME.levels` and so on. */
export function graphTensors(graphs: SavedGraphs): Record<string, SafeTensor> {
  const tensors: Record<string, SafeTensor> = {};
  for (const name of NAMES) {
    const graph = graphs[name];
    if (!graph) continue;
    const add = (part: keyof SavedGraph, dtype: SafeTensor['dtype']) => {
      tensors[`index.${name}.${part}`] = { dtype, shape: [graph[part].length], data: graph[part] };
    };
    add('levels', 'U8');
    add('links', 'I32');
    add('slots', 'I32');
    add('removed', 'F32');
  }
  return tensors;
}

/** The graphs that a file holds. @throws InputError naming the source and a tensor that is missing or of another type. */
export function graphsOf(record: Readonly<Record<string, SafeTensor>>, source: string): SavedGraphs {
  const graphs: { [name in GraphName]?: SavedGraph } = {};
  for (const name of NAMES) {
    if (!record[`index.${name}.levels`]) continue;
    const part = <T>(key: keyof SavedGraph, type: new (length: number) => T): T => {
      const tensor = record[`index.${name}.${key}`];
      if (tensor?.data instanceof type) return tensor.data;
      throw new InputError(
        `${source} is damaged: 'index.${name}.${key}' is ${tensor ? `of dtype ${tensor.dtype}` : 'missing'}.`,
      );
    };
    graphs[name] = {
      levels: part('levels', Uint8Array),
      links: part('links', Int32Array),
      slots: part('slots', Int32Array),
      removed: part('removed', Float32Array),
    };
  }
  return graphs;
}
