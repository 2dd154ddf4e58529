import { type GoldenHandler, MaskedValues } from '@palimpsest/base/golden';
import { ConeTree } from '../indexes/cone-tree.js';
import { DirectionTree } from '../indexes/direction-tree.js';
import { FlatIndex } from '../indexes/flat-index.js';
import type { DirectionNode } from '../indexes/tree-node.js';
import type { VectorIndex } from '../indexes/vector-index.js';
import { GeometryCase } from './geometry-case.js';

interface TreeDump {
  readonly nodeIsLeaf: number[];
  readonly nodeParent: number[];
  readonly nodeChildCount: number[];
  readonly leafIdOffset: number[];
  readonly leafIds: number[];
  readonly centers: number[];
  readonly centerNode: number[];
}

/** Nodes in preorder, as the golden cases list them. */
function dumpTree(root: DirectionNode): TreeDump {
  const dump: TreeDump = {
    nodeIsLeaf: [],
    nodeParent: [],
    nodeChildCount: [],
    leafIdOffset: [0],
    leafIds: [],
    centers: [],
    centerNode: [],
  };
  const visit = (node: DirectionNode, parent: number): void => {
    const index = dump.nodeIsLeaf.length;
    dump.nodeIsLeaf.push(node.isLeaf ? 1 : 0);
    dump.nodeParent.push(parent);
    dump.nodeChildCount.push(node.children.length);
    dump.leafIds.push(...node.ids);
    dump.leafIdOffset.push(dump.leafIds.length);
    for (const child of node.children) {
      dump.centers.push(...child.center);
      dump.centerNode.push(index);
    }
    for (const child of node.children) visit(child, index);
  };
  visit(root, -1);
  return dump;
}

const rowsOf = (golden: GeometryCase, name: string): Float32Array[] => {
  const { data, shape } = golden.array(name);
  return Array.from({ length: shape[0]! }, (_, row) => data.slice(row * shape[1]!, (row + 1) * shape[1]!));
};

function compareTree(golden: GeometryCase, tree: DirectionTree, when: string): void {
  const dump = dumpTree(tree.root);
  for (const [name, values] of Object.entries(dump)) {
    const output = `state/${when}/${name}`;
    golden.output(output, values);
  }
  const queries = rowsOf(golden, 'in/queries');
  for (const beam of golden.source.member('config', { beams: [] as number[] }).beams) {
    const at = `out/${when}/beam${beam}`;
    if (!golden.has(`${at}/ids`)) continue;
    const width = golden.source.shape(`${at}/ids`)[1]!;
    const found = queries.map((query) => tree.retrieve(query, beam));
    const padded = <T>(value: (hit: { id: number; value: number }) => T, filler: T) =>
      found.flatMap((hits) =>
        Array.from({ length: Math.max(width, hits.length) }, (_, i) => (hits[i] ? value(hits[i]) : filler)),
      );
    golden.output(
      `${at}/ids`,
      padded(({ id }) => id, -1),
    );
    const scores = padded(({ value }) => value, Number.NaN);
    // What stands behind the padding of a score is not specified; the ids say where padding begins.
    golden.output(
      `${at}/scores`,
      new MaskedValues(
        scores,
        scores.map((score) => !Number.isNaN(score)),
      ),
    );
  }
}

/** The exact ranking, by every index that promises it. */
function compareExact(golden: GeometryCase, vectors: readonly Float32Array[]): void {
  const d = golden.number('d');
  const exact: Record<string, VectorIndex> = { flat: new FlatIndex(d), cone: new ConeTree(d) };
  const k = golden.source.shape('out/exactTop8/ids')[1]!;
  for (const [kind, index] of Object.entries(exact)) {
    vectors.forEach((vector, id) => {
      index.insert(id, vector);
    });
    const hits = rowsOf(golden, 'in/queries').flatMap((query) => index.search(query, k));
    golden.output(
      `out/exactTop8/ids@${kind}`,
      hits.map(({ id }) => id),
    );
    golden.output(
      `out/exactTop8/cosines@${kind}`,
      hits.map(({ cosine }) => cosine),
    );
  }
}

const treeHandler: GoldenHandler = {
  system: 'fiber-geometry',
  kind: 'direction-tree',
  run(testCase) {
    const golden = new GeometryCase(testCase);
    const tree = new DirectionTree(golden.number('d'), {
      treeK: golden.number('treeK'),
      treeMaxLeaf: golden.number('treeMaxLeaf'),
      scoring: 'accumulated',
    });
    const vectors = rowsOf(golden, 'in/dirn');
    vectors.forEach((vector, id) => {
      tree.insert(id, vector);
    });
    compareTree(golden, tree, 'afterInsert');
    if (golden.has('out/exactTop8/ids')) compareExact(golden, vectors);
    for (const id of golden.source.integers('in/removeOrder')) tree.remove(id);
    compareTree(golden, tree, 'afterRemove');
    return golden.outputs;
  },
};

export const indexHandlers: readonly GoldenHandler[] = [treeHandler];
