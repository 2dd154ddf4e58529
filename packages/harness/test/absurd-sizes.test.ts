import { InputError } from '@palimpsest/base';
import { expect, it } from 'vitest';
import { standardRegistry } from '../src/index.js';

/** Options with which every architecture is quickly made. */
const SMALL: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  osam: { dModel: 4, sketchDim: 4, readoutHidden: 4 },
  rsm: { hiddenSize: 4, numHeads: 1, numMemorySlots: 2, windowSize: 4 },
  'om-arc': { dimInput: 4, dimHidden: 4, numHeads: 1, segmentLen: 4, stateLen: 2 },
  transformer: { heads: 1, modelWidth: 4, mlpWidth: 4, context: 8 },
};

it.each(standardRegistry.architectures)('$name: nobody counts a hundred million layers', (architecture) => {
  const small = SMALL[architecture.name] ?? { width: 16 };
  const { config } = architecture.create(3, small);
  const layers = Object.keys(config).filter((name) => /^(layers|numLayers)$/.test(name));
  expect(layers).toHaveLength(1);
  expect(() => architecture.create(3, { ...small, [layers[0]!]: 100_000_000 })).toThrow(InputError);
});
