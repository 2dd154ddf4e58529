export { type CompactTable, compactTable } from './compact-table.js';
export { Fft, type FftNorm } from './fft.js';
export { Mt19937 } from './mt19937.js';
export { createIndependentTables, createTable, type SketchTable, type TableOptions } from './sketch-table.js';
export { type LoadGroup, type SumBucketPlan, sumBucketPlan } from './sum-bucket-plan.js';
