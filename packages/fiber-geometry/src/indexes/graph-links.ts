import { InputError } from '@palimpsest/tensor-core';

/** Numbers before the neighbours of a list in {@link GraphLinks}. */
const HEAD = 2;
/** Higher than any level that is drawn. */
const HIGHEST_LEVEL = 64;

/** The lists of a graph, for a file. */
export interface GraphLinks {
  /** Highest layer of every slot. */
  readonly levels: Uint8Array;
  /** Per slot and layer from 0 on: the number of neighbours, how many of them, the first ones, no cut drops, and then they. */
  readonly links: Int32Array;
}

/** A list of a slot: a view of the neighbours, of which the first `kept` ones stay in every cut. */
export interface GraphList {
  readonly slot: number;
  readonly layer: number;
  readonly kept: number;
  readonly neighbours: Int32Array;
}

/** Packs lists that come slot by slot, layer by layer. */
export function packLinks(levels: Uint8Array, lists: () => Iterable<GraphList>): GraphLinks {
  let length = 0;
  for (const { neighbours } of lists()) length += HEAD + neighbours.length;
  const links = new Int32Array(length);
  let at = 0;
  for (const { kept, neighbours } of lists()) {
    links[at] = neighbours.length;
    links[at + 1] = kept;
    links.set(neighbours, at + HEAD);
    at += HEAD + neighbours.length;
  }
  return { levels, links };
}

/**
 * The lists of a file, each checked before it is given.
 * @param mostOf neighbours that a list of a layer can have
 * @throws InputError where the lists are not those of a graph.
 */
export function* unpackLinks(
  { levels, links }: GraphLinks,
  mostOf: (layer: number) => number,
): IterableIterator<GraphList> {
  const damaged = (what: string) => new InputError(`The links of a graph are damaged: ${what}.`);
  let at = 0;
  for (const [slot, level] of levels.entries()) {
    if (level > HIGHEST_LEVEL) throw damaged(`slot ${slot} reaches up to layer ${level}`);
    for (let layer = 0; layer <= level; layer++) {
      const [count, kept] = [links[at], links[at + 1]];
      at += HEAD;
      if (count === undefined || kept === undefined) throw damaged(`they end before slot ${slot}`);
      if (
        !(count >= 0 && count <= mostOf(layer) && kept >= 0 && kept <= count && at + count <= links.length)
      ) {
        throw damaged(`slot ${slot} has ${count} neighbours in layer ${layer}, ${kept} of them kept`);
      }
      const neighbours = links.subarray(at, at + count);
      const wrong = neighbours.find((other) => other === slot || !(levels[other]! >= layer));
      if (wrong !== undefined) throw damaged(`slot ${slot} has the neighbour ${wrong} in layer ${layer}`);
      yield { slot, layer, kept, neighbours };
      at += count;
    }
  }
  if (at !== links.length) throw damaged(`${links.length - at} numbers stand behind those of the last slot`);
}
