import type { OmConfig } from '../config.js';
import { hasInnerProjection, headWidth, type PassPlan, passPlans, tableLength } from '../plan.js';
import { componentPlace } from '../rotary.js';
import { asIs, type Correspondence, turned } from './correspondence.js';

/** Where a layer's attention block lies: published prefix, our prefix, index in our stack. */
export interface ArcPlace {
  readonly key: string;
  readonly path: string;
  readonly layer: number;
}

/** Regions of our tree with the suffix of their published names. */
const sharedRegions = { token: '', state: '_state' } as const;
const ownRegions = { token: '', read: '_state_start', write: '_state_end' } as const;

type RegionEntries = readonly (readonly [string, string])[];

const regionsOf = ({ stateProjections }: OmConfig): RegionEntries =>
  Object.entries(stateProjections === 'shared' ? sharedRegions : ownRegions);

/** A block of columns of a matrix per head. */
interface Columns {
  readonly path: string;
  readonly inputs: number;
  /** Columns of the whole leaf, and the first and number of those meant. */
  readonly all: number;
  readonly first: number;
  readonly count: number;
  /** Heads lie side by side in the columns, [L, in, H·all], rather than in front, [L, H, in, all]. */
  readonly isFirstPass: boolean;
  readonly permute?: ((column: number) => number) | undefined;
}

/** The published attention block in terms of ours. */
class ArcKeys {
  readonly entries: Correspondence[] = [];

  constructor(
    readonly config: OmConfig,
    readonly at: ArcPlace,
  ) {}

  get #heads(): number {
    return this.config.numHeads;
  }

  /** Matrices of all heads: one tensor [1, H, in, out], or one [out, in] per head. */
  headMatrix(stackedKey: string, name: string, columns: Columns): void {
    const { inputs, count, all, first, isFirstPass, permute = (column) => column } = columns;
    const path = this.at.path + columns.path;
    const H = this.#heads;
    const { layer } = this.at;
    const place = (head: number, input: number, column: number) => {
      const place = first + permute(column);
      return isFirstPass
        ? (layer * inputs + input) * H * all + head * all + place
        : ((layer * H + head) * inputs + input) * all + place;
    };
    if (this.config.stackedAttn) {
      this.entries.push({
        key: `${this.at.key}attn.${stackedKey}.weights`,
        shape: [1, H, inputs, count],
        path,
        place: (i) => place(Math.floor(i / (inputs * count)), Math.floor(i / count) % inputs, i % count),
      });
      return;
    }
    for (let head = 0; head < H; head++) {
      this.entries.push({
        key: `${this.at.key}attn.attn_heads.${head}.${name}.weight`,
        shape: [count, inputs],
        path,
        place: (i) => place(head, i % inputs, Math.floor(i / inputs)),
      });
    }
  }

  /** Vectors or tables of all heads, `[L, H, ...]` here. */
  headVector(
    key: string,
    path: string,
    shape: readonly number[],
    options: { readonly publishedShape?: readonly number[]; readonly permute?: (i: number) => number } = {},
  ): void {
    const H = this.#heads;
    const size = shape.reduce((product, extent) => product * extent, 1);
    const { publishedShape = shape, permute = (i) => i } = options;
    const start = this.at.layer * H * size;
    const full = this.at.path + path;
    if (this.config.stackedAttn) {
      this.entries.push({
        key: `${this.at.key}attn.${key}`,
        shape: [H, ...publishedShape],
        path: full,
        place: (i) => start + Math.floor(i / size) * size + permute(i % size),
      });
      return;
    }
    for (let head = 0; head < H; head++) {
      this.entries.push({
        key: `${this.at.key}attn.attn_heads.${head}.${key}`,
        shape: publishedShape,
        path: full,
        place: (i) => start + head * size + permute(i),
      });
    }
  }

  pass(plan: PassPlan): void {
    const { config } = this;
    const base = `attn_modules.${plan.index}`;
    const isHopfield = plan.kind === 'hopfield';
    const parts = plan.kind === 'differential' ? 2 : 1;
    const key = parts * plan.keyWidth;
    const value = parts * plan.valueWidth;
    const component = (i: number) => {
      const half = Math.floor(i / plan.keyWidth) * plan.keyWidth;
      return plan.rope ? half + componentPlace(config.ropeVariant, plan.rope.turned, i - half) : i;
    };
    for (const [region, suffix] of regionsOf(config)) {
      const path = `passes.${plan.index}.projections.${region}`;
      const inputs = isHopfield ? plan.valueWidth : plan.inputWidth;
      const matrix = (name: string, first: number, count: number, permute?: (column: number) => number) =>
        this.headMatrix(`${base}.${name}${suffix}`, `${base}.${name}${suffix}`, {
          path: `${path}.qkv`,
          inputs,
          all: 2 * key + value,
          first,
          count,
          isFirstPass: plan.index === 0 && !isHopfield,
          permute,
        });
      matrix('proj_q', 0, key, component);
      matrix('proj_k', key, key, component);
      matrix('proj_v', 2 * key, value);
      if (isHopfield) {
        this.headMatrix(`${base}.proj_hidden${suffix}`, `${base}.proj_hidden${suffix}`, {
          path: `${path}.hidden`,
          inputs: plan.inputWidth,
          all: value,
          first: 0,
          count: value,
          isFirstPass: plan.index === 0,
        });
      }
      if (config.attnNormalize === 'input') {
        this.headVector(`${base}.norm_in${suffix}.weight`, `${path}.inputNorm.gain`, [plan.inputWidth]);
        this.headVector(`${base}.norm_in${suffix}.bias`, `${path}.inputNorm.bias`, [plan.inputWidth]);
      }
    }
    if (config.cope) this.#tables(plan, base, component);
    if (plan.kind === 'differential') this.#differential(plan, base);
  }

  #tables(plan: PassPlan, base: string, component: (i: number) => number): void {
    const M = tableLength(this.config);
    const width = plan.keyWidth;
    const permute = (i: number) => component(Math.floor(i / M)) * M + (i % M);
    const names = plan.kind === 'differential' ? ['cope_emb_1', 'cope_emb_2'] : ['cope_emb'];
    names.forEach((name, part) => {
      const path = `passes.${plan.index}.cope.${part}`;
      if (this.config.stackedAttn && plan.kind === 'hopfield') {
        const start = this.at.layer * width * M;
        this.entries.push({
          key: `${this.at.key}attn.${base}.${name}`,
          shape: [1, width, M],
          path: this.at.path + path,
          place: (i) => start + permute(i),
        });
        return;
      }
      this.headVector(`${base}.${name}`, path, [width, M], { permute });
    });
  }

  #differential(plan: PassPlan, base: string): void {
    const { config } = this;
    const path = `passes.${plan.index}`;
    for (const part of [1, 2]) {
      this.headVector(`${base}.lambda_q${part}`, `${path}.lambda.query${part}`, [plan.keyWidth]);
      this.headVector(`${base}.lambda_k${part}`, `${path}.lambda.key${part}`, [plan.keyWidth]);
    }
    const width = 2 * plan.valueWidth;
    for (const [name, ours] of [
      ['weight', 'gain'],
      ['bias', 'bias'],
    ] as const) {
      if (!config.stackedAttn) {
        this.headVector(`${base}.out_norm.${name}`, `${path}.outputNorm.${ours}`, [width]);
        continue;
      }
      for (let head = 0; head < config.numHeads; head++) {
        const start = (this.at.layer * config.numHeads + head) * width;
        this.entries.push(
          asIs(
            `${this.at.key}attn.${base}.out_norms.${head}.${name}`,
            [width],
            `${this.at.path}${path}.outputNorm.${ours}`,
            start,
          ),
        );
      }
    }
    if (plan.isLast) return;
    const mixRegions: RegionEntries = config.stackedAttn ? Object.entries(ownRegions) : regionsOf(config);
    for (const [region, suffix] of mixRegions) {
      this.headMatrix(`proj_modules${suffix}.${plan.index}`, `proj_modules${suffix}.${plan.index}`, {
        path: `${path}.mix.${region}`,
        inputs: width,
        all: plan.valueWidth,
        first: 0,
        count: plan.valueWidth,
        isFirstPass: false,
      });
    }
  }

  outputs(lastWidth: number): void {
    const { config, at } = this;
    const { stateLen, dimInput: d, numHeads, attnProjRank: rank } = config;
    this.entries.push(
      asIs(`${at.key}init_state`, [1, stateLen, d], `${at.path}initState`, at.layer * stateLen * d),
    );
    if (hasInnerProjection(config)) {
      for (const [region, suffix] of regionsOf(config)) {
        this.headMatrix(`proj_out${suffix}`, `proj_out${suffix}`, {
          path: `inner.${region}`,
          inputs: lastWidth,
          all: rank,
          first: 0,
          count: rank,
          isFirstPass: false,
        });
      }
    }
    const joined = numHeads * headWidth(config);
    const start = at.layer * joined * d;
    this.entries.push(
      turned(`${at.key}proj_out.weight`, d, joined, `${at.path}output.token`, start),
      turned(`${at.key}proj_out_state.weight`, d, joined, `${at.path}output.state`, start),
    );
  }
}

/** The published names of one layer's attention block. */
export function arcCorrespondences(config: OmConfig, at: ArcPlace): Correspondence[] {
  const keys = new ArcKeys(config, at);
  const plans = passPlans(config);
  for (const plan of plans) keys.pass(plan);
  keys.outputs(plans.at(-1)!.outputWidth);
  return keys.entries;
}
