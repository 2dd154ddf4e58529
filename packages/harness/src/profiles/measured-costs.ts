/** Processor time of a model by tokens, microseconds. */
export interface ModelCost {
  /** A training step at width 64: forward, backward, clipping, optimiser. */
  readonly train: number;
  /** The same at width 16; between and beyond, time is taken to be linear in the width. */
  readonly narrow?: number;
  /** Reading, with the memory carried along, at width 64. */
  readonly ask: number;
}

/** Widths that were measured. */
export const NARROW = 16;
export const WIDE = 64;

/** Seconds of a cell before and beside its tokens: a process, an engine, graphs. */
export const SECONDS_PER_CELL = 3;

/**
 * Medians over the learned tasks of the profile `standard`, each measured for a dozen steps and its whole asking, on one
 * thread of the ONNX runtime, two such processes side by side on two cores. Full attention reads long texts in quadratic
 * time: its figure is that of retrieval up to 3,072 tokens.
 */
export const modelCosts: Readonly<Record<string, ModelCost>> = {
  osam: { train: 40.2, narrow: 10.5, ask: 20.8 },
  rsm: { train: 17.8, narrow: 5.5, ask: 20.8 },
  'om-arc': { train: 29.2, narrow: 22.0, ask: 20.7 },
  'transformer-window': { train: 12.6, narrow: 6.3, ask: 6.9 },
  'transformer-sinks': { train: 13.6, narrow: 6.7, ask: 6.7 },
  'linear-attention': { train: 12.7, narrow: 5.0, ask: 4.9 },
  gru: { train: 11.2, narrow: 3.5, ask: 3.4 },
  lstm: { train: 11.4, narrow: 3.0, ask: 3.7 },
  'gated-linear-attention': { train: 15.8, narrow: 6.0, ask: 7.0 },
  'gated-delta-net': { train: 22.6, narrow: 10.5, ask: 8.6 },
  'mamba-2': { train: 15.6, narrow: 8.3, ask: 5.6 },
  'rwkv-7': { train: 27.6, narrow: 12.3, ask: 9.1 },
  transformer: { train: 13.0, ask: 75.0 },
  'no-memory': { train: 8.9, ask: 2.6 },
};

/** What is asked with the weights of a transformer and a memory of its own: the median of the rules over its cache. */
export const borrowedCost: ModelCost = { train: 13.0, ask: 16.4 };

/** Seconds of cells that measure time, whatever the model, at their defaults and up to 32,768 tokens. */
export const timedCells: Readonly<Record<string, number>> = { 'training-cost': 6, 'decoding-cost': 40 };
