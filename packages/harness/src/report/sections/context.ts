import type { EvaluationRegistry } from '../../cells/task.js';
import { isBorrowed } from '../../profiles/grid.js';
import type { ResultsDocument } from '../../results/document.js';
import type { Entry } from '../../results/entry.js';
import { Labels } from '../../results/labels.js';
import { type TaskGroup, taskGroups } from '../../results/tables.js';
import { type LineStyle, lineStyle } from '../colours.js';
import type { Figure } from '../figure.js';
import { glossary } from '../glossary.js';
import { definitions } from '../html-parts.js';
import type { Markup } from '../markup.js';
import type { VerdictSource } from '../verdicts/group-verdict.js';

/** What every section draws on. */
export class ReportContext {
  readonly labels: Labels;
  readonly groups: readonly TaskGroup[];
  /** Pictures of the page, in their order; their data are written beside it. */
  readonly figures: Figure[] = [];
  readonly #mechanisms: readonly string[];
  readonly #explained = new Set<string>();

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

  /** What sentences about tables are computed from. */
  get source(): VerdictSource {
    return { registry: this.registry, labels: this.labels, failed: this.document.failed };
  }

  /** How an entry's model is drawn, the same in every picture: a colour per mechanism, dashes and signs besides. */
  style({ model }: Pick<Entry, 'model'>): LineStyle {
    const mechanism = this.labels.mechanism(model ?? '');
    const place = this.#mechanisms.indexOf(mechanism);
    const siblings = this.registry.contenders.filter((contender) => contender.mechanism === mechanism);
    const among = siblings.findIndex(({ name }) => name === model);
    return lineStyle(place === -1 ? this.#mechanisms.length : place, Math.max(0, among));
  }

  /** Entries in the one order of legends: that of the list of models, sizes as they were. */
  inOrder<E extends Pick<Entry, 'model'>>(entries: readonly E[]): E[] {
    const place = ({ model }: E) => this.registry.contenders.findIndex(({ name }) => name === model);
    return [...entries].sort((a, b) => place(a) - place(b));
  }

  /** Explanations of the terms in these texts that the page has not explained yet. */
  explain(texts: readonly string[]): Markup[] {
    const terms = glossary.filter(
      ({ term, sign }) => !this.#explained.has(term) && texts.some((text) => sign.test(text)),
    );
    for (const { term } of terms) this.#explained.add(term);
    if (terms.length === 0) return [];
    return [
      definitions(
        terms.map(({ term, text }) => [term, text]),
        'terms',
      ),
    ];
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
