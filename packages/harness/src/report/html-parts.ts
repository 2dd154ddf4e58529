import { type Markup, type MarkupValue, markup } from './markup.js';

/** A part of the page. */
export interface Section {
  readonly id: string;
  readonly title: string;
  /** What stands below the heading. */
  readonly body: readonly Markup[];
}

/** A table in a box of its own that scrolls sideways; the first column holds names, the others numbers. */
export function htmlTable(
  columns: readonly string[],
  rows: readonly (readonly string[])[],
  caption?: string,
): Markup {
  const head = columns.map((column, index) =>
    index === 0
      ? markup`<th scope="col">${column}</th>`
      : markup`<th scope="col" class="number">${column}</th>`,
  );
  const body = rows.map((row) => {
    const cells = row.map((text, index) =>
      index === 0 ? markup`<th scope="row">${text}</th>` : markup`<td class="number">${text}</td>`,
    );
    return markup`<tr>${cells}</tr>`;
  });
  const heading = caption === undefined ? '' : markup`<caption>${caption}</caption>`;
  return markup`<div class="scroll"><table>${heading}<thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div>`;
}

/** A paragraph; `soft` stands back behind the others. */
export function paragraph(text: MarkupValue, kind: '' | 'soft' = ''): Markup {
  return kind === 'soft' ? markup`<p class="soft">${text}</p>` : markup`<p>${text}</p>`;
}

/** A heading below that of a section. */
export function subheading(text: string): Markup {
  return markup`<h3>${text}</h3>`;
}

/** Sentences as a list. */
export function bulletList(items: readonly string[]): Markup {
  return markup`<ul>${items.map((item) => markup`<li>${item}</li>`)}</ul>`;
}

/** Terms and what is said about them; `terms` are small, below a table. */
export function definitions(
  terms: readonly (readonly [MarkupValue, MarkupValue])[],
  kind: 'wide' | 'terms' = 'wide',
): Markup {
  return markup`<dl class="${kind}">${terms.map(([term, text]) => markup`<dt>${term}</dt><dd>${text}</dd>`)}</dl>`;
}

/** Something that is shown when it is asked for. */
export function details(summary: string, body: Markup): Markup {
  return markup`<details><summary>${summary}</summary>${body}</details>`;
}
