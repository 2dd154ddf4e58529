import { ndarray, toOnnx } from '@palimpsest/tensor-core';
import { expect, it } from 'vitest';
import { emptyState } from '../src/index.js';
import { livelyModel } from './helpers.js';

it('a decode step is a standard ONNX file with the same graph for every token', () => {
  const { model, params } = livelyModel({
    window: 4,
    sinks: 1,
    keyValueHeads: 2,
    norm: 'rms',
    activation: 'swiglu',
  });
  const state = emptyState(model.options, 1);
  const file = toOnnx(model.step as never, [params, ndarray([1], [1], 'int32'), state], {
    name: 'step',
    freeze: [0],
  });
  expect(new TextDecoder('latin1').decode(file.bytes)).not.toContain('com.microsoft');
  const later = { ...state, position: ndarray([9], [1], 'int32') };
  const again = toOnnx(model.step as never, [params, ndarray([7], [1], 'int32'), later], {
    name: 'step',
    freeze: [0],
  });
  expect(again.bytes).toEqual(file.bytes);
  const shapes = Object.fromEntries(file.outputs.map(({ path, shape }) => [path, shape]));
  expect(shapes).toMatchObject({
    logits: [1, 23],
    'state.layers.1.keys': [1, 2, 5, 4],
    'state.positions': [1, 1, 5],
  });
});
