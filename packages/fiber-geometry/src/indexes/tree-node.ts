/** A node of a direction tree: a leaf while it has no children. */
export class DirectionNode {
  ids: number[] = [];
  children: DirectionNode[] = [];
  /** Number of ids below. */
  count = 0;
  readonly #sum: Float64Array;
  #center: Float64Array | undefined;

  constructor(
    dimension: number,
    public parent?: DirectionNode,
  ) {
    this.#sum = new Float64Array(dimension);
  }

  get isLeaf(): boolean {
    return this.children.length === 0;
  }

  /** Steps from the root. */
  get depth(): number {
    let depth = 0;
    for (let node = this.parent; node; node = node.parent) depth += 1;
    return depth;
  }

  add(vector: ArrayLike<number>): void {
    for (let i = 0; i < this.#sum.length; i++) this.#sum[i]! += vector[i]!;
    this.count += 1;
    this.#center = undefined;
  }

  subtract(vector: ArrayLike<number>): void {
    this.count -= 1;
    for (let i = 0; i < this.#sum.length; i++) this.#sum[i]! -= vector[i]!;
    if (this.count === 0) this.#sum.fill(0);
    this.#center = undefined;
  }

  /** Unit mean of the vectors below; near zero where they cancel. */
  get center(): Float64Array {
    if (!this.#center) {
      const mean = this.#sum.map((value) => value / Math.max(this.count, 1));
      const norm = Math.max(Math.hypot(...mean), 1e-12);
      this.#center = mean.map((value) => value / norm);
    }
    return this.#center;
  }

  /** Center · vector. */
  similarity(vector: ArrayLike<number>): number {
    const { center } = this;
    let sum = 0;
    for (let i = 0; i < center.length; i++) sum += center[i]! * vector[i]!;
    return sum;
  }

  /** Mean cosine over the pairs of unit vectors below, from ‖Σv‖² = n + Σ over ordered pairs. */
  meanPairwiseCosine(): number {
    if (this.count < 2) return 0;
    const squared = this.#sum.reduce((sum, value) => sum + value * value, 0);
    return (squared - this.count) / (this.count * (this.count - 1));
  }
}
