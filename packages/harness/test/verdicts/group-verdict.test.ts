import { describe, expect, it } from 'vitest';
import { type CellResult, resultsDocument, standardRegistry } from '../../src/index.js';
import { groupVerdicts } from '../../src/report/verdicts/group-verdict.js';
import { Labels } from '../../src/results/labels.js';
import { parameterWords } from '../../src/results/parameters.js';
import { headlineNames, headlineRows, taskGroups } from '../../src/results/tables.js';
import { syntheticResult } from '../support/synthetic-results.js';

const labels = new Labels(standardRegistry);

/** Retrieval by one model under three seeds: near, and at each distance. */
function retrieval(model: string, near: readonly number[], far: readonly number[], more = {}): CellResult[] {
  const metric = { unit: '%', higherIsBetter: true, standardError: 1, samples: 64 };
  return near.map((value, index) =>
    syntheticResult(
      { task: 'retrieval-distance', taskOptions: { distances: [8, 384] }, model, seed: index + 1 },
      {
        metrics: [
          { ...metric, name: 'accuracy', value, slice: {} },
          { ...metric, name: 'accuracy by slice', value, slice: { distance: 8 } },
          { ...metric, name: 'accuracy by slice', value: far[index]!, slice: { distance: 384 } },
        ],
        ...more,
      },
    ),
  );
}

function verdictsOf(results: readonly CellResult[]) {
  const document = resultsDocument(results, standardRegistry, 't');
  const source = { registry: standardRegistry, labels, failed: document.failed };
  return taskGroups(document, standardRegistry).map((group) => groupVerdicts(group, source));
}

describe('the verdicts of a table', () => {
  it('tell the headline and the farthest beyond training, with seeds paired', () => {
    const [verdicts] = verdictsOf([
      ...retrieval('osam', [100, 100, 100], [6, 7, 5]),
      ...retrieval('gru', [99, 98, 99.5], [80, 83, 82]),
    ]);
    expect(verdicts).toEqual([
      {
        about: '',
        sentences: [
          'Nobody is first: OSAM with 100 % has the best value, and all others are equal or within noise (paired by seed, 95 %).',
        ],
      },
      {
        about: 'distance 384, beyond training',
        sentences: [
          'First: GRU with 81.67 %, 75.7 ± 3.8 points ahead of OSAM, the next (paired by seed, 95 %).',
          'Beside GRU: OSAM loses by 75.7 ± 3.8 points (place 2 of 2, 6 %, no better than a blind guess).',
        ],
      },
    ]);
  });

  it('name cells that failed, under the headline alone', () => {
    const [verdicts] = verdictsOf([
      ...retrieval('gru', [99], [80]),
      syntheticResult(
        { task: 'retrieval-distance', taskOptions: { distances: [8, 384] }, model: 'rsm' },
        'The process was killed.',
      ),
    ]);
    expect(verdicts!.map(({ sentences }) => sentences.at(-1))).toEqual([
      'RSM could not be computed: The process was killed.',
      'Only GRU with 80 % was measured: there is nobody to compare it with.',
    ]);
  });

  it('call neither controls nor rules over the memory of another model ours', () => {
    const [verdicts] = verdictsOf([
      ...retrieval('linear-attention', [99, 99, 98], [9, 9, 9]),
      ...retrieval('gru', [50, 51, 52], [9, 9, 9]),
      ...retrieval('cache-h2o', [40, 41, 42], [9, 9, 9]),
    ]);
    expect(verdicts![0]!.sentences).toHaveLength(1);
  });

  it('have a table counted as exact: one seed is enough for it', () => {
    const bits = (value: number) => [{ name: 'bits per character', value, unit: 'bits', slice: {} }];
    const [verdicts] = verdictsOf([
      ...[1, 2, 3].map((seed) =>
        syntheticResult({ task: 'language', model: 'osam', seed }, { metrics: bits(0.7 + seed / 1000) }),
      ),
      syntheticResult({ task: 'language', model: 'ngram' }, { metrics: bits(0.64) }),
    ]);
    expect(verdicts![0]!.sentences[0]).toBe(
      'First: n-gram table with 0.64 bits, 0.062 ± 0.0025 bits ahead of OSAM, the next (seeds not shared, 95 %).',
    );
  });

  it('are silent about tasks that compare no models', () => {
    const metrics = [{ name: 'cases reproduced', value: 100, unit: '%', slice: {} }];
    expect(
      verdictsOf([syntheticResult({ task: 'parity', taskOptions: { system: 'osam' } }, { metrics })]),
    ).toEqual([[]]);
  });
});

describe('the table', () => {
  it('has the farthest beyond training beside the headline, and marks parameters that differ', () => {
    const document = resultsDocument(
      [
        ...retrieval('osam', [100, 100, 100], [6, 7, 5], { parameters: 130_000 }),
        ...retrieval('gru', [99, 98, 99.5], [80, 83, 82], { parameters: 104_000 }),
        ...retrieval('lstm', [90, 90, 90], [80, 83, 82], { parameters: 100_000 }),
      ],
      standardRegistry,
      't',
    );
    const [group] = taskGroups(document, standardRegistry);
    expect(headlineNames(group!)[2]).toBe('beyond training: distance 384');
    const rows = headlineRows(group!, labels);
    expect(rows[1]).toEqual(
      expect.arrayContaining(['GRU', '98.83 ± 0.44 %', '81.67 ± 0.88 %', '64', '104 000']),
    );
    expect(rows.map((row) => row[6])).toEqual(['130 000 (+25 %)', '104 000', '100 000']);
  });

  it('compares parameters at one width only', () => {
    const [small, large] = [16, 64].map((width) => ({
      model: 'gru',
      modelOptions: { width },
      parameters: width * 100,
    }));
    const { entries } = resultsDocument(
      [small!, large!].map(({ model, modelOptions, parameters }) =>
        syntheticResult({ task: 'mqar', model, modelOptions }, { parameters }),
      ),
      standardRegistry,
      't',
    );
    expect(entries.map((entry) => parameterWords(entry, entries, labels))).toEqual(['1 600', '6 400']);
  });
});
