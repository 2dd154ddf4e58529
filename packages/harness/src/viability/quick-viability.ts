import { TextModel } from '@palimpsest/ams-v4';
import type { Engine } from '@palimpsest/tensor-core';
import type { Mode } from './modes.js';
import { standardPack } from './pack.js';
import { loadPocket } from './pocket.js';
import { runViability, type ViabilityOptions, type ViabilityReport } from './run-viability.js';

/** What the verdict needs, and no more. */
const MODES = [
  'A_ams_prefix',
  'C_ams_hybrid',
  'D_full_history',
  'Z_no_memory',
  'X_wrong_memory',
] as const satisfies readonly Mode[];

/** Sessions per number of facts, ten questions each. */
export const QUICK_SESSIONS = 5;
/** The numbers of facts that the gate looks at. */
export const GATE_FACTS = [20, 50] as const;

/**
 * The gate in its quick form: the small language model that ships, with its adapters, on a few sessions.
 * @param folder of another model in the same form. Default: the one that ships
 */
export async function quickViability(
  engine: Engine,
  options: Partial<Omit<ViabilityOptions, 'modes' | 'maxTokens'>> = {},
  folder?: string,
): Promise<ViabilityReport> {
  const { frozen, adapters } = await loadPocket(folder);
  const text = new TextModel(engine, frozen);
  try {
    return await runViability(text, adapters, standardPack(), {
      sessions: QUICK_SESSIONS,
      firstSeed: 1,
      suite: 'base',
      facts: GATE_FACTS,
      ...options,
      modes: MODES,
      maxTokens: 30,
    });
  } finally {
    await text.dispose();
  }
}
