import { expect, it } from 'vitest';
import { cellVersions, packageVersions } from '../../src/results/provenance.js';

it('a package that no cell runs makes no cell old', () => {
  expect(packageVersions()).toEqual({ '@palimpsest/harness': 'test', '@palimpsest/models': 'test' });
  expect(cellVersions()).toEqual({ '@palimpsest/harness': 'test' });
});
