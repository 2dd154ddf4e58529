import type { Place } from '@palimpsest/base';
import type { HostWeights } from './weights.js';

/** Room for what a token is on its way. */
export type Scratch = Readonly<
  Record<
    | 'stream'
    | 'normal'
    | 'sum'
    | 'branch'
    | 'row'
    | 'packed'
    | 'query'
    | 'key'
    | 'sketched'
    | 'head'
    | 'features'
    | 'feature'
    | 'raw'
    | 'value'
    | 'hidden'
    | 'gated',
    Place
  >
>;

/** Room for the widest block of a model. */
export function scratchFor({ kernels, config, blocks }: HostWeights): Scratch {
  const { dModel: d, readoutHidden } = config;
  const most = (of: (block: (typeof blocks)[number]) => number) => Math.max(...blocks.map(of));
  const wide = Math.max(
    d,
    readoutHidden,
    config.heads,
    most(({ mlp }) => mlp?.down.weight.columns ?? 0),
  );
  const room = (count: number) => kernels.allocate(count + 4);
  return {
    ...{ stream: room(d), normal: room(d), sum: room(d), branch: room(d), row: room(d) },
    ...{
      packed: room(3 * d),
      query: room(2 * d),
      key: room(2 * d),
      sketched: room(2 * d),
      head: room(2 * d),
    },
    ...{ features: room(most(({ readout }) => readout?.live ?? 0)), feature: room(d) },
    ...{ raw: room(d), value: room(d), hidden: room(wide), gated: room(wide) },
  };
}
