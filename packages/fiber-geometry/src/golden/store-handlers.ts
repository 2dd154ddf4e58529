import type { GoldenHandler } from '@palimpsest/base/golden';
import type { DirectionTree } from '../indexes/direction-tree.js';
import { BUNDLES, COORDINATES, type NewEntry } from '../store/entry.js';
import { MemStore } from '../store/mem-store.js';
import { GeometryCase } from './geometry-case.js';

interface ScriptStep {
  readonly op: 'add' | 'remove';
  readonly row?: number;
  readonly mid?: number;
}

/** The beam with which the cases retrieve at the end of the script. */
const FINAL_BEAM = 5;

const storeHandler: GoldenHandler = {
  system: 'fiber-geometry',
  kind: 'memstore',
  expects: ['script/*/expect'],
  run(testCase) {
    const golden = new GeometryCase(testCase);
    const store = new MemStore({ ...golden.source.config, mode: 'parity' });
    const rows = Object.fromEntries(COORDINATES.map((name) => [name, golden.array(`in/${name}`)]));
    const entryOf = (row: number): NewEntry =>
      Object.fromEntries(
        COORDINATES.map((name) => {
          const { data, shape } = rows[name]!;
          return [name, data.slice(row * shape[1]!, (row + 1) * shape[1]!)];
        }),
      ) as NewEntry;
    (testCase.json.script as ScriptStep[]).forEach(({ op, row, mid }, step) => {
      if (op === 'add') store.add(entryOf(row!));
      else store.remove(mid!);
      golden.output(`script/${step}/expect`, {
        length: store.length,
        allMids: [...store.allMids()],
        treeSizes: BUNDLES.map((bundle) => store.index(bundle).size),
        errors: store.verifyConsistency().length,
      });
    });
    for (const bundle of BUNDLES) {
      const tree = store.index(bundle) as DirectionTree;
      const found = tree.retrieve(entryOf(0)[`${bundle}Dirn`], FINAL_BEAM);
      golden.output(
        `out/${bundle}/ids`,
        found.map(({ id }) => id),
      );
      golden.output(
        `out/${bundle}/scores`,
        found.map(({ value }) => value),
      );
    }
    return golden.outputs;
  },
};

export const storeHandlers: readonly GoldenHandler[] = [storeHandler];
