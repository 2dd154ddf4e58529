import type { DecodingKernels, Place } from '@palimpsest/base';
import { normaliseHeads, shareValue } from './heads.js';
import type { Scratch } from './scratch.js';
import type { HostBlock, HostMap, HostNorm, HostSketch, HostWeights } from './weights.js';

/** Of a token at a position: 1 / √(position + 1), and the factor on what every head's values give. */
interface Scales {
  readonly position: number;
  readonly heads: readonly number[];
}

/** Where the arrays of a block's memory lie, by the names of its state. */
export type BlockPlaces = (name: string) => Place;

const RMS_EPSILON = 1e-6;

/**
 * One token through one block over one text's memory: `blockForward` for a run of one token, written out (DERIVATION.md,
 * "The block"). Complex rows hold real parts, then imaginary parts.
 */
export class HostBlockText {
  readonly #kernels: DecodingKernels;
  readonly #scratch: Scratch;

  constructor(
    private readonly weights: HostWeights,
    private readonly block: HostBlock,
    private readonly state: BlockPlaces,
    scratch: Scratch,
  ) {
    this.#kernels = weights.kernels;
    this.#scratch = scratch;
  }

  /** Reads the token whose row lies in the scratch's `stream`, and leaves the block's output there. */
  token(position: number): void {
    const { block } = this;
    const { stream, normal, sum, branch } = this.#scratch;
    const { numbers } = this.#kernels;
    const d = block.config.dModel;
    if (block.inputNorm) this.#normalise(normal, stream, this.weights.zeros, block.inputNorm);
    else numbers.copyWithin(normal, stream, stream + d);
    this.#convolve(normal);
    this.#project(normal);
    this.#turn(position);
    const scales = this.#scales(position);
    const reads = position % block.config.kUpdate === 0;
    const [feature, value] = reads ? this.#read(scales) : this.#unread();
    this.#write();
    numbers.copyWithin(sum, stream, stream + d);
    if (feature !== undefined) this.#add(sum, feature, block.gates.feature);
    if (value !== undefined) this.#add(sum, value, block.gates.value);
    if (block.norm) this.#normalise(stream, sum, this.weights.zeros, block.norm);
    else numbers.copyWithin(stream, sum, sum + d);
    if (!block.mlp) return;
    const { mlp } = block;
    if (block.norm) {
      this.#mlp(branch, stream, mlp);
      this.#normalise(normal, stream, branch, mlp.norm);
      numbers.copyWithin(stream, normal, normal + d);
      return;
    }
    this.#normalise(normal, stream, this.weights.zeros, mlp.norm);
    this.#mlp(branch, normal, mlp);
    this.#add(stream, branch, 1);
  }

  /** Causal depthwise convolution in place. */
  #convolve(x: Place): void {
    const { convolution, config } = this.block;
    if (convolution === undefined) return;
    const { convWidth, dModel: d } = config;
    const recent = convWidth > 1 ? this.state('recent') : 0;
    const last = recent + (convWidth - 2) * d;
    const { numbers } = this.#kernels;
    const { row } = this.#scratch;
    numbers.copyWithin(row, x, x + d);
    for (let i = 0; i < d; i++) {
      let sum = numbers[convolution + i]! * numbers[row + i]!;
      for (let age = 1; age < convWidth; age++) {
        sum += numbers[convolution + age * d + i]! * numbers[last - (age - 1) * d + i]!;
      }
      numbers[x + i] = sum;
    }
    if (convWidth === 1) return;
    numbers.copyWithin(recent, recent + d, last + d);
    numbers.copyWithin(last, row, row + d);
  }

  /** Query, value and key into `packed`. */
  #project(x: Place): void {
    const { packed, row, gated } = this.#scratch;
    const { projections, writeGate, mixedKey, config } = this.block;
    const d = config.dModel;
    this.weights.multiply(packed, projections, x);
    if (writeGate) {
      this.weights.multiply(gated, writeGate, x);
      shareValue(this.#kernels.numbers, packed + d, gated, config.heads, d / config.heads);
    }
    if (!mixedKey) return;
    const { numbers } = this.#kernels;
    const previous = this.state('previous');
    for (let i = 0; i < d; i++) {
      const present = numbers[x + i]!;
      numbers[row + i] = present + mixedKey.share[i]! * (numbers[previous + i]! - present);
    }
    this.weights.multiply(packed + 2 * d, mixedKey.map, row);
    numbers.copyWithin(previous, x, x + d);
  }

  /** Turns query and key by what they hold and by the position, into complex rows. */
  #turn(position: number): void {
    const { config, theta, omega } = this.block;
    const { packed, query, key } = this.#scratch;
    const d = config.dModel;
    const { numbers } = this.#kernels;
    for (let i = 0; i < d; i++) {
      const angle = omega ? (omega[omega.length === 1 ? 0 : i]! * position) % (2 * Math.PI) : 0;
      const [q, k] = [numbers[packed + i]!, numbers[packed + 2 * d + i]!];
      const [ofQuery, ofKey] = [theta.query * q - angle, theta.key * k + angle];
      numbers[query + i] = q * Math.cos(ofQuery);
      numbers[query + d + i] = q * Math.sin(ofQuery);
      numbers[key + i] = k * Math.cos(ofKey);
      numbers[key + d + i] = k * Math.sin(ofKey);
    }
  }

  #scales(position: number): Scales {
    const { config, decays } = this.block;
    const ofPosition = 1 / Math.sqrt(position + 1);
    if (config.readScale === 'position') return { position: ofPosition, heads: decays.map(() => ofPosition) };
    const held = (decay: number) => (decay === 1 ? position : (1 - decay ** position) / (1 - decay));
    return { position: ofPosition, heads: decays.map((decay) => 1 / Math.sqrt(1 + held(decay))) };
  }

  /** What feature and value memory tell, where the block has them. */
  #read(scales: Scales): readonly [Place | undefined, Place | undefined] {
    const { readout, config } = this.block;
    const feature = readout && this.#feature(scales.position);
    const value = config.enableValuePath ? this.#value(scales.heads) : undefined;
    if (config.kUpdate > 1 && config.skipMode === 'hold') {
      const { numbers } = this.#kernels;
      const keep = (name: string, from: Place) =>
        numbers.copyWithin(this.state(name), from, from + config.dModel);
      if (feature !== undefined) keep('heldFeature', feature);
      if (value !== undefined) keep('heldValue', value);
    }
    return [feature, value];
  }

  /** What a token gets that does not read: the last reads, or the read-out of no features and nothing. */
  #unread(): readonly [Place | undefined, Place | undefined] {
    const { readout, config } = this.block;
    if (config.skipMode === 'hold') {
      return [
        readout && this.state('heldFeature'),
        config.enableValuePath ? this.state('heldValue') : undefined,
      ];
    }
    if (!readout) return [undefined, undefined];
    const { hidden, feature } = this.#scratch;
    const { bias, weight } = readout.hidden;
    this.#kernels.numbers.copyWithin(hidden, bias, bias + weight.rows);
    this.#kernels.gelu(hidden, weight.rows);
    this.weights.multiply(feature, readout.output, hidden);
    return [feature, undefined];
  }

  /** What the feature memory of the tokens before tells. @returns where it lies, `[d]` */
  #feature(positionScale: number): Place {
    const { sketches, pairs, config, readout } = this.block;
    const { query, sketched, features, hidden, feature } = this.#scratch;
    const { hidden: first, output, live } = readout!;
    const { numbers } = this.#kernels;
    const [uQuery, uKey] = [sketches.query.width, sketches.key.width];
    const sums = this.state('keySum');
    this.#sketch(sketched, query, sketches.query);
    numbers.fill(0, features, features + live);
    for (let a = 0, pair = 0; a < uQuery; a++) {
      const [real, imaginary] = [numbers[sketched + a]!, numbers[sketched + uQuery + a]!];
      for (let b = 0; b < uKey; b++, pair++) {
        numbers[features + pairs[pair]!]! +=
          real * numbers[sums + b]! - imaginary * numbers[sums + uKey + b]!;
      }
    }
    let scale = positionScale / Math.sqrt(config.sketchDim);
    if (config.featureScale === 'rms') {
      let energy = 0;
      for (let i = features; i < features + live; i++) energy += numbers[i]! * numbers[i]!;
      scale /= Math.sqrt((scale * scale * energy) / config.sketchDim + RMS_EPSILON);
    }
    for (let i = features; i < features + live; i++) numbers[i]! *= scale;
    this.weights.multiply(hidden, first, features);
    this.#kernels.gelu(hidden, first.weight.rows);
    this.weights.multiply(feature, output, hidden);
    return feature;
  }

  /** What the value memory of the tokens before tells. @returns where it lies, `[d]` */
  #value(scales: readonly number[]): Place {
    const { config, rows, valueProjection, sketches } = this.block;
    const { query, sketched, head, raw, hidden, value } = this.#scratch;
    const { memories, numbers } = this.#kernels;
    const { dModel: d, heads, valueKernel } = config;
    const depth = d / heads;
    const memory = this.state('valueMemory');
    if (valueKernel === 'sketched') this.#sketch(sketched, query, sketches.key);
    const from = valueKernel === 'sketched' ? sketched : query;
    numbers.fill(0, raw, raw + d);
    for (let index = 0; index < heads; index++) {
      this.#headRow(head, from, index);
      for (let i = rows; i < 2 * rows; i++) numbers[head + i] = -numbers[head + i]!;
      const own = memory + index * 2 * rows * depth;
      memories.recall(raw + index * depth, own, head, 2 * rows, depth);
      for (let i = 0; i < depth; i++) numbers[raw + index * depth + i]! *= scales[index]!;
    }
    normaliseHeads(numbers, raw, valueProjection.norm, heads, depth);
    this.weights.multiply(hidden, valueProjection.hidden, raw);
    this.#kernels.gelu(hidden, d);
    this.weights.multiply(value, valueProjection.output, hidden);
    return value;
  }

  /** Writes the token into both memories. */
  #write(): void {
    const { config, rows, decays, sketches } = this.block;
    const { key, packed, sketched, head } = this.#scratch;
    const { memories, numbers } = this.#kernels;
    const { dModel: d, heads, featurePath, valueKernel, decay } = config;
    const isSketched = featurePath || valueKernel === 'sketched';
    if (isSketched) this.#sketch(sketched, key, sketches.key);
    if (featurePath) {
      const sums = this.state('keySum');
      for (let i = 0; i < 2 * sketches.key.width; i++) {
        numbers[sums + i] = decay * numbers[sums + i]! + numbers[sketched + i]!;
      }
    }
    if (rows === 0) return;
    const depth = d / heads;
    const memory = this.state('valueMemory');
    for (let index = 0; index < heads; index++) {
      this.#headRow(head, valueKernel === 'sketched' ? sketched : key, index);
      const own = memory + index * 2 * rows * depth;
      memories.remember(own, head, packed + d + index * depth, 2 * rows, depth, decays[index]!);
    }
  }

  /** A head's part of a complex row of all heads, `[2 rows]`. */
  #headRow(to: Place, from: Place, index: number): void {
    const { rows, config } = this.block;
    const { numbers } = this.#kernels;
    const all = rows * config.heads;
    numbers.copyWithin(to, from + index * rows, from + (index + 1) * rows);
    numbers.copyWithin(to + rows, from + all + index * rows, from + all + (index + 1) * rows);
  }

  /** A complex row `[2 d]` by its used buckets, `[2 u]`. */
  #sketch(to: Place, from: Place, { index, sign, width }: HostSketch): void {
    const d = index.length;
    const { numbers } = this.#kernels;
    numbers.fill(0, to, to + 2 * width);
    for (let channel = 0; channel < d; channel++) {
      const bucket = to + index[channel]!;
      numbers[bucket]! += sign[channel]! * numbers[from + channel]!;
      numbers[bucket + width]! += sign[channel]! * numbers[from + d + channel]!;
    }
  }

  /** sum += branch; y = its layer normalisation. */
  #normalise(y: Place, sum: Place, branch: Place, { gain, bias }: HostNorm): void {
    this.#kernels.addNormalised(y, sum, branch, gain, bias, this.block.config.dModel);
  }

  #mlp(
    y: Place,
    x: Place,
    { gate, up, down }: { gate: HostMap | undefined; up: HostMap; down: HostMap },
  ): void {
    const { hidden, gated } = this.#scratch;
    const width = down.weight.columns;
    this.weights.multiply(hidden, up, x);
    if (!gate) this.#kernels.gelu(hidden, width);
    else {
      this.weights.multiply(gated, gate, x);
      this.#kernels.memories.swiGlu(hidden, gated, hidden, width);
    }
    this.weights.multiply(y, down, hidden);
  }

  #add(sum: Place, branch: Place, factor: number): void {
    const { numbers } = this.#kernels;
    for (let i = 0; i < this.block.config.dModel; i++) numbers[sum + i]! += factor * numbers[branch + i]!;
  }
}
