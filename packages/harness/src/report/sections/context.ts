import type { EvaluationRegistry } from '../../cells/task.js';
import { isBorrowed } from '../../profiles/grid.js';
import type { ResultsDocument } from '../../results/document.js';
import type { Entry } from '../../results/entry.js';
import { Labels } from '../../results/labels.js';
import { type TaskGroup, taskGroups } from '../../results/tables.js';
import { colourAt } from '../colours.js';
import type { Figure } from '../figure.js';

/** What every section draws on. */
export class ReportContext {
  readonly labels: Labels;
  readonly groups: readonly TaskGroup[];
  /** Pictures of the page, in their order; their data are written beside it. */
  readonly figures: Figure[] = [];
  readonly #mechanisms: readonly string[];

  constructor(
    readonly document: ResultsDocument,
    readonly registry: EvaluationRegistry,
  ) {
    this.labels = new Labels(registry);
    this.groups = taskGroups(document, registry);
    // Those with borrowed weights come last, so that they change no colour.
    const last = registry.contenders.filter(isBorrowed);
    const first = registry.contenders.filter((contender) => !isBorrowed(contender));
    this.#mechanisms = [...new Set([...first, ...last].map(({ mechanism }) => mechanism))];
  }

  /** The colour of an entry's mechanism, the same in every picture. */
  colour({ model }: Pick<Entry, 'model'>): string {
    const place = this.#mechanisms.indexOf(this.labels.mechanism(model ?? ''));
    return colourAt(place === -1 ? this.#mechanisms.length : place);
  }

  /** Whether an entry is of a model whose memory grows with the text. */
  grows({ model }: Pick<Entry, 'model'>): boolean {
    const name = this.labels.mechanism(model ?? '');
    return this.registry.mechanisms?.some((card) => card.name === name && card.memory === 'growing') === true;
  }

  /** Whether an entry is of a table of counts, the floor that models must beat. */
  isFloor({ model }: Pick<Entry, 'model'>): boolean {
    return this.labels.isCounted(model);
  }

  /** Groups of a family. */
  family(family: string): TaskGroup[] {
    return this.groups.filter(({ task }) => task?.family === family);
  }

  /** Adds a picture to the page's list and gives it back. */
  figure(figure: Figure): Figure {
    // It becomes the name of a file, and may have come from the slices of a result.
    const plain = figure.name.replace(/[^\w-]+/g, '-').slice(0, 80);
    const taken = this.figures.filter(({ name }) => name.startsWith(plain)).length;
    const named = { ...figure, name: taken === 0 ? plain : `${plain}-${taken + 1}` };
    this.figures.push(named);
    return named;
  }
}
