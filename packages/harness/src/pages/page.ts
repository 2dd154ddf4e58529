import { escapeMarkup } from './markup.js';

export interface HtmlPage {
  readonly title: string;
  readonly heading: string;
  /** Name and value of what the page is about. */
  readonly facts: readonly (readonly [string, string])[];
  /** Markup, as `section` makes it. */
  readonly sections: readonly string[];
}

/** One HTML page that needs no other file. */
export function htmlPage({ title, heading, facts, sections }: HtmlPage): string {
  const terms = facts.map(([term, value]) => `<dt>${escapeMarkup(term)}</dt><dd>${escapeMarkup(value)}</dd>`);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeMarkup(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<header><h1>${escapeMarkup(heading)}</h1><dl>${terms.join('')}</dl></header>
<main>
${sections.join('\n')}
</main>
</body>
</html>
`;
}

/** A picture. @param content markup */
export const figure = (content: string) => `<figure>${content}</figure>`;

/** @param content markup */
export const section = (title: string, content: string) =>
  `<section><h2>${escapeMarkup(title)}</h2>${content}</section>`;

/** A table of texts; the first column is the name of the row. */
export function htmlTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const row = (cells: readonly string[], tag: 'th' | 'td') =>
    `<tr>${cells.map((cell) => `<${tag}>${escapeMarkup(cell)}</${tag}>`).join('')}</tr>`;
  return `<table><thead>${row(header, 'th')}</thead><tbody>${rows.map((cells) => row(cells, 'td')).join('')}</tbody></table>`;
}

const STYLE = `
:root { --ink: #2b2b2b; --soft: #6d675c; --line: #e0dbd0; --paper: #faf8f3; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", sans-serif; }
header, main { max-width: 900px; margin: 0 auto; padding: 0 24px; }
header { padding-top: 36px; }
h1 { font: 600 32px/1.2 Georgia, "Times New Roman", serif; margin: 0 0 12px; }
h2 { font: 600 21px/1.3 Georgia, "Times New Roman", serif; margin: 0 0 8px; }
h3 { font-size: 14px; font-weight: 600; margin: 16px 0 4px; }
p { margin: 6px 0 10px; color: var(--soft); font-size: 14.5px; }
section { background: #fff; border: 1px solid var(--line); border-radius: 8px; padding: 20px 24px; margin: 24px 0; }
figure { margin: 8px 0 16px; overflow-x: auto; } figure svg { max-width: 100%; height: auto; display: block; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; font-size: 14px; }
dt { color: var(--soft); } dd { margin: 0; }
table { border-collapse: collapse; font-size: 14px; margin: 8px 0 16px; }
th { text-align: left; color: var(--soft); font-weight: 500; }
th, td { padding: 4px 18px 4px 0; border-bottom: 1px solid var(--line); font-variant-numeric: tabular-nums; }
.text { white-space: pre-wrap; font: 14px/1.7 ui-monospace, Menlo, Consolas, monospace; margin: 0; }
.chunk { border-left: 2px solid #a8372f; padding-left: 1px; }
`;
