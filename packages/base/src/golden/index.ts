export { GoldenCase, type GoldenSource } from './case.js';
export type { OutputComparison } from './compare.js';
export type * from './contract.js';
export { type CaseFile, findCases } from './find.js';
export { createGoldenRegistry, type GoldenRegistry } from './handlers.js';
export { MaskedValues } from './masked-values.js';
export type * from './report.js';
export { caseFailures, type GoldenOptions, goldenFailures, runGolden } from './run.js';
export type { ToleranceStatement, ToleranceStatements } from './tolerances.js';
