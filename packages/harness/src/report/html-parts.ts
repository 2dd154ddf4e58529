/** Text as it may stand in HTML. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

/** A part of the page. */
export interface Section {
  readonly id: string;
  readonly title: string;
  /** HTML without the heading. */
  readonly body: string;
}

/** A table in a box of its own that scrolls sideways; the first column holds names, the others numbers. */
export function htmlTable(
  columns: readonly string[],
  rows: readonly (readonly string[])[],
  caption?: string,
): string {
  const cell = (tag: 'td' | 'th', text: string, index: number, scope: string) =>
    `<${tag}${scope}${index > 0 ? ' class="number"' : ''}>${escapeHtml(text)}</${tag}>`;
  const head = columns.map((column, index) => cell('th', column, index, ' scope="col"')).join('');
  const body = rows
    .map((row) => {
      const cells = row.map((text, index) =>
        index === 0 ? cell('th', text, 0, ' scope="row"') : cell('td', text, index, ''),
      );
      return `<tr>${cells.join('')}</tr>`;
    })
    .join('\n');
  const heading = caption === undefined ? '' : `<caption>${escapeHtml(caption)}</caption>`;
  return `<div class="scroll"><table>${heading}<thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div>`;
}

/** A paragraph. */
export function paragraph(text: string, kind = ''): string {
  return `<p${kind ? ` class="${kind}"` : ''}>${escapeHtml(text)}</p>`;
}

/** Something that is shown when it is asked for. */
export function details(summary: string, body: string): string {
  return `<details><summary>${escapeHtml(summary)}</summary>${body}</details>`;
}
