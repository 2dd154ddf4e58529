/** Style sheet of the report: light and dark by the reader's setting, narrow screens, paper. */
export const PAGE_STYLE = `
:root { color-scheme: light dark; --ink: #24221f; --soft: #645f56; --line: #ddd7ca; --paper: #faf8f3; --card: #ffffff;
  --link: #1f5f9c; --good: #2f7a3b; --bad: #b03028; }
@media (prefers-color-scheme: dark) { :root { --ink: #e9e5dc; --soft: #aaa496; --line: #45423b; --paper: #1b1a18; --card: #242320;
  --link: #86b8ea; --good: #7cc489; --bad: #ef8f86; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", sans-serif; }
header, nav, main, footer { max-width: 920px; margin: 0 auto; padding: 0 20px; }
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
tbody th { font-weight: 500; min-width: 11em; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
td.number { white-space: nowrap; }
figure { margin: 18px 0; } figure svg { max-width: 100%; height: auto; display: block; }
figcaption { font-size: 14px; margin-top: 4px; }
details { margin: 8px 0; font-size: 14px; } summary { cursor: pointer; color: var(--soft); }
dl.wide { margin: 0; } dt { font-weight: 600; margin-top: 10px; } dd { margin: 0; }
code { font-size: 13px; color: var(--soft); font-weight: 400; }
a { color: var(--link); } footer { color: var(--soft); font-size: 13px; padding-bottom: 40px; }
@media (max-width: 600px) { header, nav, main, footer { padding: 0 12px; } section { padding: 16px 14px; } h1 { font-size: 26px; }
  tbody th { min-width: 9em; } figure { overflow-x: auto; } figure svg { max-width: none; } }
@media print { :root { --ink: #000; --soft: #444; --line: #bbb; --paper: #fff; --card: #fff; color-scheme: light; }
  nav, figcaption a { display: none; } section { border: 0; padding: 0; break-inside: auto; } body { font-size: 11pt; }
  figure, tr, h2, h3 { break-inside: avoid; } h2, h3 { break-after: avoid; } .scroll { overflow: visible; } table { font-size: 9pt; }
  details::details-content { content-visibility: visible; block-size: auto; } summary { list-style: none; } }
`;
