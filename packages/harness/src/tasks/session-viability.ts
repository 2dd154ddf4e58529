import { defineTask } from '@palimpsest/lm';
import { z } from 'zod';
import { type Mode, modes } from '../viability/modes.js';
import { GATE_FACTS, QUICK_SESSIONS, quickViability } from '../viability/quick-viability.js';
import { clauseLines, madeOf, verdictLine } from '../viability/viability-report.js';
import { standardErrorOf } from '../viability/wilson.js';

const options = z.strictObject({
  sessions: z.int().min(1).default(QUICK_SESSIONS).describe('sessions per number of facts'),
});

/** The gate of a memory, with the small language model that ships. */
export const sessionViabilityTask = defineTask({
  name: 'session-viability',
  family: 'viability',
  title: 'Session viability',
  description:
    'Generated facts are told to a memory beside a frozen language model, and questions about them are asked: with the memory alone (A), with the best text too (C), with everything in the prompt (D), with nothing (Z), and with a memory of wrong facts (X). A hit names the right thing, and no other of its kind before it. The model is small, was trained on such sessions, and has never seen these.',
  options,
  contenders: 'none',
  headline: { metric: 'first hits', unit: '%', higherIsBetter: true },
  async run({ engine, signal, progress }, { sessions }) {
    // One more for what comes behind the sessions.
    const all = GATE_FACTS.length * sessions + 1;
    let told = 0;
    const report = await quickViability(engine, {
      sessions,
      signal,
      onSession: (facts, done) => {
        told += 1;
        progress(told / all, `${facts} facts: ${done} of ${sessions} sessions`);
      },
    });
    signal?.throwIfAborted();
    const metrics = report.results.flatMap(({ facts, modes: results }) =>
      Object.entries(results).flatMap(([mode, { rates, inputTokens, prefixPositions }]) => {
        const { rate, count, interval } = rates.first;
        const slice = { facts, mode: modeTitle(mode) };
        const shared = { slice, samples: count };
        return [
          {
            ...shared,
            name: 'first hits',
            value: 100 * rate,
            unit: '%',
            standardError: 100 * standardErrorOf(interval),
            higherIsBetter: mode !== 'Z_no_memory' && mode !== 'X_wrong_memory',
          },
          {
            ...shared,
            name: 'positions',
            value: inputTokens + prefixPositions,
            unit: '',
            higherIsBetter: false,
          },
        ];
      }),
    );
    return {
      passed: report.gate.passed,
      metrics,
      notes: [verdictLine(report), ...clauseLines(report).map((line) => line.trim()), madeOf(report)],
    };
  },
});

const modeTitle = (mode: string): string => `${mode.split('_')[0]}: ${modes[mode as Mode]}`;
