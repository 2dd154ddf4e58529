import type { CellSpec } from './cell.js';

/** A cell in a few words, as in `mqar/osam, pairs 8, width 64, rate 0.003, seed 1`. */
export function cellLabel(spec: CellSpec): string {
  const { task, model, taskOptions, modelOptions, learningRate, seed } = spec;
  const options = Object.entries({ ...taskOptions, ...modelOptions }).map(
    ([name, value]) => `${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  const rate = learningRate === undefined ? [] : [`rate ${learningRate}`];
  return [model === undefined ? task : `${task}/${model}`, ...options, ...rate, `seed ${seed}`].join(', ');
}
