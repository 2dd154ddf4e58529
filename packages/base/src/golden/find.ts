import { InputError } from '../errors.js';
import { nodeModule } from '../node-modules.js';
import { decodeSafetensors } from '../safetensors.js';
import type { GoldenSource } from './case.js';
import type { GoldenTensor } from './contract.js';

/** Where a golden case lies and what it is, before its tensors are read. */
export interface CaseFile {
  /** Path of the JSON, relative to the folder that was searched, with forward slashes. */
  readonly path: string;
  readonly name: string;
  readonly system: string;
  readonly kind: string;
  /** Reads the tensors, if there are any. @throws InputError for a file that is not safetensors. */
  load(): GoldenSource;
  /** Why this file cannot be a case, although it looks like one. */
  readonly problem?: string;
}

/**
 * Finds the golden cases below a folder, nested folders included. A JSON object with the strings `system` and `kind`
 * is a case; its tensors are in the `.safetensors` file of the same name. Other JSON files (configurations,
 * tokenizers, data that cases name) are passed over, unless tensors of the same name make them a broken case.
 *
 * @throws InputError when the folder does not exist or holds no case.
 */
export function findCases(folder: string): CaseFile[] {
  const { existsSync, readdirSync, statSync } = nodeModule('node:fs');
  if (!existsSync(folder) || !statSync(folder).isDirectory()) {
    throw new InputError(`There is no folder '${folder}'; give the folder that holds the golden cases.`);
  }
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.json'))
    .sort();
  const cases = files.flatMap((path) => caseFile(folder, path) ?? []);
  if (cases.length === 0) {
    throw new InputError(
      `The folder '${folder}' holds no golden case; a case is a JSON file with 'system' and 'kind'.`,
    );
  }
  return cases;
}

function caseFile(folder: string, file: string): CaseFile | undefined {
  const { existsSync, readFileSync } = nodeModule('node:fs');
  const { dirname, join } = nodeModule('node:path');
  const jsonPath = join(folder, file);
  const tensorPath = jsonPath.replace(/\.json$/, '.safetensors');
  const hasTensors = existsSync(tensorPath);
  const path = file.replaceAll('\\', '/');
  const fallbackName = path.replace(/\.json$/, '');
  const broken = (problem: string): CaseFile => ({
    path,
    name: fallbackName,
    system: '?',
    kind: '?',
    problem,
    load: () => {
      throw new InputError(problem);
    },
  });
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(jsonPath, 'utf8'));
  } catch (error) {
    return broken(`${path} is not JSON: ${(error as Error).message}.`);
  }
  const { system, kind, case: name } = (isRecord(json) ? json : {}) as Record<string, unknown>;
  if (typeof system !== 'string' || typeof kind !== 'string') {
    return hasTensors ? broken(`${path} has tensors but does not say its 'system' and 'kind'.`) : undefined;
  }
  const label = typeof name === 'string' ? name : fallbackName;
  const load = (): GoldenSource => ({
    name: label,
    system,
    kind,
    json: json as Record<string, unknown>,
    tensors: hasTensors ? readTensors(tensorPath) : new Map(),
    folder: dirname(jsonPath),
  });
  return { path, name: label, system, kind, load };
}

function readTensors(path: string): ReadonlyMap<string, GoldenTensor> {
  // Golden files hold F32 and I32 only, whose data are the arrays that handlers expect.
  return decodeSafetensors(new Uint8Array(nodeModule('node:fs').readFileSync(path)), `'${path}'`)
    .tensors as ReadonlyMap<string, GoldenTensor>;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
