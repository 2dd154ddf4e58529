import type { OutputComparison } from './compare.js';

export interface CaseResult {
  readonly name: string;
  /** Path of the JSON file, relative to the folder that was asked for. */
  readonly path: string;
  readonly system: string;
  readonly kind: string;
  readonly passed: boolean;
  readonly seconds: number;
  readonly outputs: readonly OutputComparison[];
  /** Why the case could not be compared at all. */
  readonly error?: string;
}

export interface GoldenReport {
  readonly folder: string;
  readonly engine: string;
  readonly passed: number;
  readonly failed: number;
  readonly seconds: number;
  readonly cases: readonly CaseResult[];
}
