interface Node {
  /** What was stored for the text that ends here. */
  value: number;
  readonly children: Map<number, Node>;
}

const makeNode = (): Node => ({ value: -1, children: new Map() });

/** Texts with numbers, found as prefixes of a place in a text; works on UTF-16 units. */
export class TokenTrie {
  readonly #root = makeNode();

  /** Stores a number of at least 0 for a text; one that is there already is replaced only when told so. */
  add(text: string, value: number, replaces: boolean): void {
    let node = this.#root;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      let child = node.children.get(unit);
      if (!child) {
        child = makeNode();
        node.children.set(unit, child);
      }
      node = child;
    }
    if (replaces || node.value < 0) node.value = value;
  }

  /** Visits every stored text that the text has at a place, shortest first. */
  visitPrefixes(text: string, at: number, visit: (value: number, end: number) => void): void {
    let node: Node | undefined = this.#root;
    for (let i = at; i < text.length; i++) {
      node = node.children.get(text.charCodeAt(i));
      if (!node) return;
      if (node.value >= 0) visit(node.value, i + 1);
    }
  }

  /** Whether a text may begin with a UTF-16 unit. */
  beginsWith(unit: number): boolean {
    return this.#root.children.has(unit);
  }
}
