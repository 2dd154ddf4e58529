import { bytesOf } from '@palimpsest/base';
import { type BoundLeaf, bindArgument, signatureOf } from './arguments.js';

/** The arguments of one call, checked, and which graph they need. */
export interface BoundCall {
  readonly leaves: readonly BoundLeaf[];
  /** The same for calls that can share a graph. */
  readonly key: string;
  /** Arguments that become part of the graph. */
  readonly baked: ReadonlySet<number>;
}

/** A frozen argument as it was bound; the same tree is not looked through again. */
interface FrozenArgument {
  readonly leaves: readonly BoundLeaf[];
  readonly isBaked: boolean;
  readonly key: string;
}

/** Checks the arguments of one compiled function and says what tells its graphs apart. */
export class ArgumentBinder {
  readonly #identities = new Identities();
  /** By argument and tree; the trees are their owner's to keep. */
  readonly #known = new Map<number, WeakMap<object, FrozenArgument>>();

  /**
   * @param bakedBytes frozen arguments beyond this size stay outside of the graph, which is then the same for all their values
   * @param freeAxes axes of any extent, by argument
   */
  constructor(
    private readonly name: string,
    private readonly engineId: number,
    private readonly frozen: ReadonlySet<number>,
    private readonly bakedBytes: number,
    private readonly freeAxes: Readonly<Record<number, number>> = {},
  ) {}

  /** @throws InputError as `bindArgument` does. */
  bind(args: readonly unknown[]): BoundCall {
    const leaves: BoundLeaf[] = [];
    const keys: string[] = [];
    const baked = new Set<number>();
    args.forEach((argument, index) => {
      if (this.frozen.has(index)) {
        const bound = this.#frozen(argument, index);
        leaves.push(...bound.leaves);
        keys.push(bound.key);
        if (bound.isBaked) baked.add(index);
      } else {
        const bound = bindArgument(this.name, argument, index, this.engineId);
        leaves.push(...bound);
        keys.push(signatureOf(bound, this.freeAxes[index]));
      }
    });
    return { leaves, key: keys.join(';'), baked };
  }

  #frozen(argument: unknown, index: number): FrozenArgument {
    const trees = this.#known.get(index) ?? new WeakMap<object, FrozenArgument>();
    this.#known.set(index, trees);
    const tree = typeof argument === 'object' && argument !== null ? argument : {};
    const known = trees.get(tree);
    if (known) return known;
    const leaves = bindArgument(this.name, argument, index, this.engineId);
    const bytes = leaves.reduce((sum, { shape, dtype }) => sum + bytesOf(shape, dtype), 0);
    const isBaked = bytes <= this.bakedBytes;
    const key = signatureOf(leaves) + (isBaked ? this.#identities.key(leaves) : '');
    const bound = { leaves, isBaked, key };
    trees.set(tree, bound);
    return bound;
  }
}

/** Numbers the frozen arrays, so that a graph is built anew when other arrays are frozen into it. */
class Identities {
  readonly #numbers = new WeakMap<object, number>();
  #last = 0;

  key(leaves: readonly BoundLeaf[]): string {
    return leaves
      .map(({ value }) => {
        let number = this.#numbers.get(value);
        if (number === undefined) {
          this.#last += 1;
          number = this.#last;
          this.#numbers.set(value, number);
        }
        return `#${number}`;
      })
      .join('');
  }
}
