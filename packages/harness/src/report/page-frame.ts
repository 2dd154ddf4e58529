import type { Section } from './html-parts.js';
import { FOLLOWING, type Following, followingPolicy } from './live-script.js';
import { Markup, markup } from './markup.js';

export interface HtmlPage {
  /** Heading, and title of the window. */
  readonly title: string;
  /** One sentence below the heading. */
  readonly lead?: string;
  /** Name and value of what the page is about. */
  readonly facts?: readonly (readonly [string, string])[];
  readonly sections: readonly Section[];
  /** The document behind the page, embedded as JSON under its id. */
  readonly data?: { readonly id: string; readonly value: unknown };
  /** One sentence at the end. */
  readonly footer?: string;
  /** For a page that a server sends anew while it is looked at. Default: it stays as it is */
  readonly follows?: Following;
}

/**
 * The one page of the house: a HTML document that needs no other file, for light, dark, narrow screens and paper. Its
 * policy lets nothing be loaded from anywhere and no script run, whatever a text of a result says; a page that follows a run
 * has one script, known by its checksum.
 */
export function htmlPage({ title, lead, facts = [], sections, data, footer, follows }: HtmlPage): string {
  const links = sections.map(({ id, title: name }) => markup`<li><a href="#${id}">${name}</a></li>`);
  const bodies = sections.map(
    ({ id, title: name, body }) =>
      markup`<section id="${id}" aria-labelledby="${id}-title">
<h2 id="${id}-title">${name}</h2>
${body}
</section>`,
  );
  const policy = markup`default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'${follows ? followingPolicy : ''}`;
  const terms = facts.map(([term, value]) => markup`<dt>${term}</dt><dd>${value}</dd>`);
  return `<!doctype html>
${markup`<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Palimpsest: ${title}</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>${title}</h1>
${lead === undefined ? '' : markup`<p class="lead">${lead}</p>`}
${terms.length === 0 ? '' : markup`<dl class="facts">${terms}</dl>`}
</header>
${follows ? markup`<p class="following" id="following" role="status" data-ended="${String(follows.ended)}">${follows.status}</p>` : ''}
<nav aria-label="Contents"><ul>${links}</ul></nav>
<main>
${bodies}
</main>
${footer === undefined ? '' : markup`<footer>${footer}</footer>`}
${data === undefined ? '' : Markup.json(data.id, data.value)}
${follows && !follows.ended ? markup`<script>${FOLLOWING}</script>` : ''}
</body>
</html>
`}`;
}

/** Light and dark by the reader's setting, narrow screens, paper. */
const STYLE = markup`
:root { color-scheme: light dark; --ink: #24221f; --soft: #645f56; --line: #ddd7ca; --paper: #faf8f3; --card: #ffffff;
  --link: #1f5f9c; --good: #2f7a3b; --bad: #b03028; }
@media (prefers-color-scheme: dark) { :root { --ink: #e9e5dc; --soft: #aaa496; --line: #45423b; --paper: #1b1a18; --card: #242320;
  --link: #86b8ea; --good: #7cc489; --bad: #ef8f86; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", sans-serif; }
header, nav, main, footer, .following { max-width: 920px; margin: 0 auto; padding: 0 20px; }
.following { color: var(--good); margin-top: 12px; } .prompt { color: var(--soft); }
header { padding-top: 36px; }
h1 { font: 600 32px/1.2 Georgia, "Times New Roman", serif; margin: 0; }
h2 { font: 600 23px/1.3 Georgia, "Times New Roman", serif; margin: 0 0 10px; }
h3 { font: 600 18px/1.3 Georgia, "Times New Roman", serif; margin: 30px 0 6px; }
.lead, .soft, figcaption, caption { color: var(--soft); }
.soft { font-size: 14px; overflow-wrap: anywhere; }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: 4px 18px; padding: 0; margin: 14px 0 0; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 22px 24px; margin: 22px 0; }
.scroll { overflow-x: auto; margin: 12px 0; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { padding: 5px 12px 5px 0; border-bottom: 1px solid var(--line); vertical-align: bottom; text-align: left; }
thead th { color: var(--soft); font-weight: 500; }
tbody th { font-weight: 500; min-width: 11em; position: sticky; left: 0; background: var(--card); }
.number { text-align: right; font-variant-numeric: tabular-nums; }
td.number { white-space: nowrap; } thead .number { min-width: 5.5em; }
figure { margin: 18px 0; } figure svg { max-width: 100%; height: auto; display: block; }
figcaption { font-size: 14px; margin-top: 4px; } .figure-title { font-weight: 600; margin: 0 0 6px; } .on-phone { display: none; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 2px 18px; padding: 0; margin: 6px 0; font-size: 13px; }
.legend li { display: flex; align-items: center; gap: 6px; } figure .legend svg { flex: none; display: inline-block; }
details { margin: 8px 0; font-size: 14px; } summary { cursor: pointer; color: var(--soft); }
dl.wide { margin: 0; } dl.terms { margin: 8px 0 14px; font-size: 14px; color: var(--soft); } .terms dt, .terms dd { display: inline; margin: 0; }
.terms dt::after { content: ": "; } .terms dd::after { content: "\\A"; white-space: pre; } .about { margin-bottom: 0; } .about + ul { margin-top: 4px; }
pre.command { white-space: pre-wrap; overflow-wrap: anywhere; font: 14px/1.5 ui-monospace, Menlo, Consolas, monospace; } dt { font-weight: 600; margin-top: 10px; } dd { margin: 0; }
dl.facts { display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; font-size: 14px; }
.facts dt { font-weight: 400; margin: 0; color: var(--soft); } .facts dd { overflow-wrap: anywhere; }
.text { white-space: pre-wrap; font: 14px/1.7 ui-monospace, Menlo, Consolas, monospace; margin: 0; }
[data-note]:is(:hover, :focus) { outline: 2px solid var(--link); }
[data-note]:is(:hover, :focus)::after { content: attr(data-note); position: fixed; z-index: 1; left: 0; right: 0; bottom: 0; padding: 10px 20px;
  background: var(--card); color: var(--ink); border-top: 1px solid var(--line); white-space: pre-wrap; overflow-wrap: anywhere; }
.chunk { border-left: 2px solid var(--bad); padding-left: 1px; }
code { font-size: 13px; color: var(--soft); font-weight: 400; }
a { color: var(--link); } footer { color: var(--soft); font-size: 13px; padding-bottom: 40px; }
@media (max-width: 600px) { header, nav, main, footer, .following { padding: 0 12px; } section { padding: 16px 14px; } h1 { font-size: 26px; }
  tbody th { min-width: 9em; } figure { overflow-x: auto; } figure svg { max-width: none; }
  .on-desk { display: none; } .on-phone { display: block; } }
@media print { :root { --ink: #000; --soft: #444; --line: #bbb; --paper: #fff; --card: #fff; color-scheme: light; }
  nav, figcaption a { display: none; } section { border: 0; padding: 0; break-inside: auto; } body { font-size: 11pt; }
  figure, tr, h2, h3 { break-inside: avoid; } h2, h3 { break-after: avoid; } .scroll { overflow: visible; } table { font-size: 9pt; }
  details::details-content { content-visibility: visible; block-size: auto; } summary { list-style: none; } }
`;
