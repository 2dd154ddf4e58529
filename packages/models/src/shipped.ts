import { nodeModule } from '@palimpsest/base';

/** What is known of a trained model. */
export interface ModelCard {
  readonly name: string;
  readonly title: string;
  /** One sentence. */
  readonly description: string;
  readonly mechanism: string;
  readonly parameters: number;
  /** Bytes of its files. */
  readonly bytes: number;
  /** Bytes of the memory of one text, however long it is. */
  readonly memoryBytes: number;
  readonly data: { readonly text: string; readonly licence: string };
  /** The command that trained it. */
  readonly training: { readonly command: string; readonly steps: number };
  readonly figures: readonly ModelFigure[];
  /**
   * A small figure that the tests measure again: the loss on `test/held-out.txt`, or the share of facts that is known after a
   * distance in tokens.
   */
  readonly check: {
    readonly value: number;
    readonly seeds?: readonly number[];
    readonly distance?: number;
  };
  /** A line to begin with. */
  readonly prompt: string;
  /** Lines end here: what the model reads and writes is one line after the other. */
  readonly lineEnd?: string;
}

/** Something measured, in a sentence's worth of words. */
export interface ModelFigure {
  /** What `value` is, as in 'nats per character'. */
  readonly measure: string;
  readonly value: number;
  /** The same before the weights were rounded to 16 bits. */
  readonly unrounded: number;
  /** What it is beside, and how it was measured. */
  readonly about: string;
}

const CARD = 'card.json';

/** The folder of all checkpoints. */
const checkpoints = (): string =>
  nodeModule('node:url').fileURLToPath(new URL('../checkpoints', import.meta.url));

/** The cards of all models of this package, by name. */
export function shippedModels(): ModelCard[] {
  const { existsSync, readdirSync, readFileSync } = nodeModule('node:fs');
  const { join } = nodeModule('node:path');
  return readdirSync(checkpoints())
    .sort()
    .map((name) => join(checkpoints(), name, CARD))
    .filter((path) => existsSync(path))
    .map((path) => JSON.parse(readFileSync(path, 'utf8')) as ModelCard);
}

/** The checkpoint folder of a model of this package; nothing for another name. */
export function shippedFolder(name: string): string | undefined {
  if (!shippedModels().some((card) => card.name === name)) return undefined;
  return nodeModule('node:path').join(checkpoints(), name);
}
