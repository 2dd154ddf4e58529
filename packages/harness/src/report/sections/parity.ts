import { maximum } from '@palimpsest/base';
import { metricOf } from '../../results/aggregate.js';
import type { Entry } from '../../results/entry.js';
import { stripChart } from '../charts/strip-chart.js';
import { renderFigure } from '../figure.js';
import { htmlTable, paragraph, type Section } from '../html-parts.js';
import type { ReportContext } from './context.js';

/** Equal values have no place on a logarithmic axis: they are drawn at this share, in percent. */
const SMALLEST_SHARE = 0.01;

/** Golden cases per mechanism and engine, with the largest errors. */
export async function paritySection(context: ReportContext): Promise<Section | undefined> {
  const entries = context.family('parity').flatMap((group) => group.entries);
  if (entries.length === 0) return undefined;
  const rows = entries.map((entry) => {
    const headline = metricOf(entry, 'cases reproduced');
    const cases = headline?.samples ?? 0;
    return [
      context.labels.entry(entry),
      entry.engine,
      `${Math.round(((headline?.value ?? 0) * cases) / 100)} of ${cases}`,
      absoluteError(entry),
      scientific(largest(entry, 'largest relative error')),
      `${largest(entry, 'share of the tolerance used').toFixed(0)} %`,
    ];
  });
  const shares = entries.flatMap((entry) =>
    entry.metrics
      .filter(({ name }) => name === 'share of the tolerance used')
      .map(({ value }) => ({ label: context.labels.entry(entry), value: Math.max(SMALLEST_SHARE, value) })),
  );
  const figure = context.figure({
    name: 'parity',
    spec: (width) =>
      stripChart(shares, {
        width,
        title: 'Share of its tolerance that each golden case uses',
        xTitle: 'percent; 100 is the limit, exact cases stand at the left',
        limit: 100,
      }),
    caption: 'Every dot is a golden case of the original program; right of the red line it would fail.',
  });
  return {
    id: 'parity',
    title: 'Parity with the original programs',
    body: [
      paragraph(context.family('parity')[0]!.task?.description ?? ''),
      htmlTable(
        [
          'mechanism',
          'engine',
          'cases',
          'largest absolute error, at which value',
          'largest relative error',
          'of the tolerance',
        ],
        rows,
      ),
      paragraph(
        'A relative error near 1 belongs to a value close to zero, where the absolute tolerance decides.',
        'soft',
      ),
      await renderFigure(figure),
    ],
  };
}

/** An error means nothing without the size of the value it stands at: 1.7e+18 is little at 6.7e+24. */
function absoluteError(entry: Entry): string {
  const error = largest(entry, 'largest absolute error');
  const metric = entry.metrics.find(
    ({ name, value }) => name === 'largest absolute error' && value === error,
  );
  const scale = entry.metrics.find(
    ({ name, slice }) => name === 'value at the largest error' && slice.case === metric?.slice.case,
  );
  return scale && error > 0 ? `${scientific(error)} at ${scientific(scale.value)}` : scientific(error);
}

function largest({ metrics }: Entry, name: string): number {
  return maximum(
    metrics.filter((metric) => metric.name === name).map(({ value }) => value),
    0,
  );
}

const scientific = (value: number) => (value === 0 ? '0' : value.toExponential(1));
