import { InputError } from '@palimpsest/base';
import { featureWidth } from '../check-config.js';
import { type NAMMConfig, type NAMMOptions, resolveNAMMConfig } from '../config.js';
import { foldParameters, isFoldable } from '../scorer/folded.js';
import { scorerParts, scorerSize, unpack } from '../scorer/layout.js';

type Layout = NAMMConfig['parameterisation'];

/** The same policy with its parameters in a layout. */
export const withLayout = (config: NAMMConfig, parameterisation: Layout): NAMMConfig => ({
  ...config,
  parameterisation,
});

/** What a new evolution searches: the folded layout where it exists, unless the options say otherwise. */
export function evolutionConfig(options: NAMMOptions = {}): NAMMConfig {
  const config = resolveNAMMConfig(options);
  const folds = options.parameterisation === undefined && config.mode === 'improved' && isFoldable(config);
  return folds ? withLayout(config, 'folded') : config;
}

/**
 * Brings a flat vector to another layout; scores stay the same (DERIVATION.md, "Folding the scorer" and "Unfolding the
 * scorer"). Vectors of several scorers are converted one by one.
 * @param config with the layout that the vector has
 * @throws InputError where there is no such layout, or, unfolding, where the standard one is too narrow to hold it.
 */
export function convertParameters(config: NAMMConfig, flat: ArrayLike<number>, to: Layout): Float32Array {
  const from = config.parameterisation;
  if (from === to) return Float32Array.from(flat);
  if (!isFoldable(config)) {
    throw new InputError(
      'The parameters of this scorer cannot be folded: that takes one linear head of attention.',
    );
  }
  const size = scorerSize(config);
  if (flat.length === 0 || flat.length % size !== 0) {
    throw new InputError(`Parameters of this scorer come in ${size}, but ${flat.length} were given.`);
  }
  const values = Float64Array.from(flat);
  const scorers = Array.from({ length: flat.length / size }, (_, i) => {
    const own = values.subarray(i * size, (i + 1) * size);
    return to === 'folded' ? foldedLayout(config, own) : standardLayout(config, own);
  });
  return Float32Array.from(scorers.flatMap((own) => [...own]));
}

/** By what every number of a flat vector is multiplied where it scores: 1, but for those of A and G. */
export function evolvedScales(config: NAMMConfig): Float32Array {
  const isScaled = (name: string) => config.parameterisation === 'folded' && (name === 'A' || name === 'G');
  const values = scorerParts(config).flatMap(({ name, shape }) => {
    const size = shape.reduce<number>((product, extent) => product * extent, 1);
    return new Array<number>(size).fill(isScaled(name) ? 1 / evolvedScale(config) : 1);
  });
  return Float32Array.from(values);
}

/** Entries of A and G are searched √E times larger than they are. */
const evolvedScale = (config: NAMMConfig) => Math.sqrt(featureWidth(config));

function foldedLayout(config: NAMMConfig, own: Float64Array): Float64Array {
  const { A, c, u, G, w1, b1 } = foldParameters(config, own);
  const scale = evolvedScale(config);
  const threshold = unpack(config, own).get('logThreshold') ?? new Float64Array();
  const grown = (values: Float64Array) => values.map((value) => value * scale);
  return Float64Array.of(...grown(A), ...c, ...u, ...grown(G), ...w1, ...b1, ...threshold);
}

/** A standard scorer with the given folded tensors: keys and values are the features themselves. */
function standardLayout(config: NAMMConfig, own: Float64Array): Float64Array {
  const standard = withLayout(config, 'standard');
  const E = featureWidth(config);
  const { hiddenDim: d, bias, mlpBias } = config.bam;
  if (d < E || !bias || !mlpBias) {
    throw new InputError(
      `Folded parameters fit a standard scorer of width ${E} or more with all biases, but bam.hiddenDim is ${d}${bias && mlpBias ? '' : ' and biases are off'}.`,
    );
  }
  const part = unpack(config, own);
  const [A, c, u, G, w1, b1] = ['A', 'c', 'u', 'G', 'w1', 'b1'].map((name) => part.get(name)!) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const scale = 1 / evolvedScale(config);
  const unit = (row: number, column: number) => (row === column ? 1 : 0);
  const tensors: Record<string, (row: number, column: number) => number> = {
    'queryKeyValue.weight': (row, column) => {
      const [block, place] = [Math.floor(column / d), column % d];
      if (block > 0) return unit(row, place);
      return place < E ? A[row * E + place]! * scale * Math.sqrt(d) : 0;
    },
    'queryKeyValue.bias': (_, column) => (column < E ? c[column]! * Math.sqrt(d) : 0),
    // The readout sums all features with weight 1, so one column carries u, and the factors carry G and w1.
    'output.weight': (row, column) => {
      if (row >= E) return 0;
      if (column < E) return column === 0 ? u[row]! : 0;
      return G[row * E + column - E]! * scale;
    },
    'output.bias': (_, column) => (column < E ? 0 : w1[column - E]! - 1),
    'readout.0.weight': () => 1,
    'readout.0.bias': () => b1[0]!,
    logThreshold: () => part.get('logThreshold')![0]!,
  };
  const values = scorerParts(standard).flatMap(({ name, shape }) => {
    const [rows, columns] = shape.length === 2 ? shape : [1, shape[0]];
    return Array.from({ length: rows * columns }, (_, i) =>
      tensors[name]!(Math.floor(i / columns), i % columns),
    );
  });
  return Float64Array.from(values);
}
