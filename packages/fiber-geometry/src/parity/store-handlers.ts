import type { DirectionTree } from '../indexes/direction-tree.js';
import { BUNDLES, COORDINATES, type NewEntry } from '../store/entry.js';
import { MemStore } from '../store/mem-store.js';
import type { ParityHandler } from './contract.js';
import { GoldenCase } from './golden-case.js';

interface ScriptStep {
  readonly op: 'add' | 'remove';
  readonly row?: number;
  readonly mid?: number;
  readonly expect: {
    readonly length: number;
    readonly allMids: number[];
    readonly treeSizes: number[];
    readonly errors: number;
  };
}

/** The beam with which the cases retrieve at the end of the script. */
const FINAL_BEAM = 5;

const storeHandler: ParityHandler = {
  system: 'fiber-geometry',
  kind: 'memstore',
  run(testCase) {
    const golden = new GoldenCase(testCase);
    const store = new MemStore({ ...golden.config, mode: 'parity' });
    const rows = Object.fromEntries(COORDINATES.map((name) => [name, golden.array(`in/${name}`)]));
    const entryOf = (row: number): NewEntry =>
      Object.fromEntries(
        COORDINATES.map((name) => {
          const { data, shape } = rows[name]!;
          return [name, data.slice(row * shape[1]!, (row + 1) * shape[1]!)];
        }),
      ) as NewEntry;
    (testCase.json.script as ScriptStep[]).forEach(({ op, row, mid, expect }, step) => {
      if (op === 'add') store.add(entryOf(row!));
      else store.remove(mid!);
      const at = `step ${step} (${op})`;
      golden.equal(`${at} length`, [store.length], [expect.length]);
      golden.equal(`${at} allMids`, store.allMids(), expect.allMids);
      const sizes = BUNDLES.map((bundle) => store.index(bundle).size);
      golden.equal(`${at} treeSizes`, sizes, expect.treeSizes);
      golden.equal(`${at} errors`, [store.verifyConsistency().length], [expect.errors]);
    });
    for (const bundle of BUNDLES) {
      const tree = store.index(bundle) as DirectionTree;
      const found = tree.retrieve(entryOf(0)[`${bundle}Dirn`], FINAL_BEAM);
      golden.equalIntegers(
        `out/${bundle}/ids`,
        found.map(({ id }) => id),
      );
      golden.compare(
        `out/${bundle}/scores`,
        found.map(({ value }) => value),
      );
    }
    return golden.outputs;
  },
};

export const storeHandlers: readonly ParityHandler[] = [storeHandler];
