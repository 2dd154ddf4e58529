import { formatMetric } from '../format.js';
import { bulletList, htmlTable, paragraph, type Section } from '../html-parts.js';
import type { ReportContext } from './context.js';

/** The gate of a memory: the verdict, what it was made of, and the modes beside each other. */
export function viabilitySection(context: ReportContext): Section | undefined {
  const groups = context.family('viability');
  const entries = groups.flatMap((group) => group.entries);
  if (entries.length === 0) return undefined;
  const body = entries.flatMap((entry) => {
    const hits = entry.metrics.filter(({ name }) => name === 'first hits');
    const positionsOf = (slice: object) =>
      entry.metrics.find(
        ({ name, slice: own }) => name === 'positions' && JSON.stringify(own) === JSON.stringify(slice),
      );
    const rows = hits.map((metric) => {
      const positions = positionsOf(metric.slice);
      return [
        String(metric.slice.mode),
        String(metric.slice.facts),
        formatMetric(metric),
        positions ? positions.value.toFixed(0) : '',
      ];
    });
    const [verdict = '', ...clauses] = entry.notes;
    return [
      paragraph(verdict),
      bulletList(clauses),
      htmlTable(['the question is asked', 'facts', 'first hits', 'positions'], rows),
    ];
  });
  return {
    id: 'viability',
    title: 'Session viability',
    body: [paragraph(groups[0]!.task?.description ?? ''), ...body],
  };
}
