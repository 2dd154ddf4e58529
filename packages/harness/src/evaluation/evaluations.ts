import { findCases } from '../parity/cases.js';
import { embeddedGoldenFolder } from '../parity/golden.js';
import { parityHandlers } from '../parity/handlers.js';
import { parityEvaluation } from './parity.js';
import type { Evaluation } from './suite.js';

/** How much work an evaluation does: `quick` takes minutes on two cores. */
export type SuiteSize = 'quick' | 'full';

/** Every evaluation of every mechanism: parity with the golden cases that ship, then what each one can do. */
export async function evaluationSuite(_size: SuiteSize): Promise<Evaluation[]> {
  const folder = embeddedGoldenFolder();
  const systems = [...new Set(findCases(folder).map(({ system }) => system))];
  return systems.map((system) => parityEvaluation(system, folder, parityHandlers));
}
