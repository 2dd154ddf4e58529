import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { evaluateRsm, type RsmReport, type RsmSuiteOptions, rsmConfigSchema } from '@palimpsest/rsm';
import type { Engine } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { drawSuite } from './suite-page.js';

const { hiddenSize, numLayers, numHeads, numMemorySlots, windowSize, chunkSize } = rsmConfigSchema.shape;
const sizes = { hiddenSize, numLayers, numHeads, numMemorySlots, windowSize, chunkSize };

/** Options of the suite's small models; those that are not given are those of the recall probe. */
export const rsmSuiteModelSchema = z.object({
  wiring: z
    .enum(['parallel', 'causal', 'parity'])
    .default('parallel')
    .describe('which preset of RSM is trained and asked'),
  ...(Object.fromEntries(
    Object.entries(sizes).map(([key, type]) => [
      key,
      (type instanceof z.ZodDefault ? type.unwrap() : type).optional().meta({ ...type.meta() }),
    ]),
  ) as unknown as Record<keyof typeof sizes, z.ZodOptional<z.ZodNumber>>),
});

export interface RsmSuiteRun extends Omit<RsmSuiteOptions, 'model'> {
  readonly engine: Engine;
  /** Folder for `report.json`, `report.html` and one SVG per chart. */
  readonly folder: string;
  readonly model?: z.input<typeof rsmSuiteModelSchema>;
}

/** Runs RSM's evaluation suite and writes its report, its page and its pictures. */
export async function runRsmSuite({ engine, folder, model, ...options }: RsmSuiteRun): Promise<RsmReport> {
  const { wiring, ...chosen } = rsmSuiteModelSchema.parse(model ?? {});
  const given = Object.fromEntries(Object.entries(chosen).filter(([, value]) => value !== undefined));
  const report = await evaluateRsm(engine, { ...options, model: { preset: wiring, ...given } });
  const { page, charts } = await drawSuite(report);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'report.json'), `${JSON.stringify(report, null, 2)}\n`);
  writeFileSync(join(folder, 'report.html'), page);
  for (const [name, svg] of Object.entries(charts)) writeFileSync(join(folder, `${name}.svg`), svg);
  return report;
}
