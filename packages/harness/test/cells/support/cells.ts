import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';
import type { CellSpecInput } from '../../../src/cells/cell.js';
import type { EvaluationRegistry } from '../../../src/cells/task.js';
import { registryWith } from '../../../src/index.js';
import { mechanism } from './toy-mechanism.mjs';

export const versions = { '@palimpsest/harness': 'test' };
/** For the processes of cells. */
export const plugins = [fileURLToPath(new URL('./toy-mechanism.mjs', import.meta.url))];

const { versionsOf } = await registryWith(plugins);
/** The toys alone, with the keys that they have as a plugin. */
export const registry = {
  tasks: mechanism.tasks,
  contenders: mechanism.contenders,
  versionsOf,
} as EvaluationRegistry;

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A new folder that is removed after the tests of the file. */
export function emptyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'palimpsest-cells-'));
  folders.push(folder);
  return folder;
}

/** Cells of a toy task that differ in their seeds. */
export function toyCells(
  count: number,
  task = 'sum',
  taskOptions: CellSpecInput['taskOptions'] = {},
): CellSpecInput[] {
  return Array.from({ length: count }, (_, seed) => ({
    task,
    model: task === 'sum' ? 'line' : undefined,
    taskOptions,
    seed,
    engine: 'cpu',
  }));
}

/** The lines that toy tasks left in a file. */
export function linesOf(log: string): string[] {
  return existsSync(log) ? readFileSync(log, 'utf8').split('\n').filter(Boolean) : [];
}
