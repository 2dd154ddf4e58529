/** Style sheet of the HTML report. */
export const REPORT_STYLE = `
:root { --ink: #2b2b2b; --soft: #6d675c; --line: #e0dbd0; --paper: #faf8f3; --good: #3f7a45; --bad: #a8372f; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", sans-serif; }
header, main, footer { max-width: 860px; margin: 0 auto; padding: 0 24px; }
header { padding-top: 40px; }
h1 { font: 600 34px/1.2 Georgia, "Times New Roman", serif; margin: 0; }
h1 span { color: var(--soft); font-weight: 400; }
h2 { font: 600 21px/1.3 Georgia, "Times New Roman", serif; margin: 0 0 8px; }
.lead { color: var(--soft); margin: 8px 0 24px; }
section { background: #fff; border: 1px solid var(--line); border-radius: 8px; padding: 20px 24px; margin: 24px 0; }
table { border-collapse: collapse; width: 100%; font-size: 14.5px; margin: 12px 0; }
th { text-align: left; color: var(--soft); font-weight: 500; }
th, td { padding: 5px 10px 5px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.good { color: var(--good); } .bad { color: var(--bad); }
.error { color: var(--bad); font-family: ui-monospace, monospace; font-size: 13.5px; }
figure { margin: 16px 0; overflow-x: auto; } figure svg { max-width: 100%; height: auto; }
details { color: var(--soft); font-size: 14px; } pre { white-space: pre-wrap; }
a { color: #3f5f8a; text-decoration: none; } a:hover { text-decoration: underline; }
footer { color: var(--soft); font-size: 13px; padding-bottom: 48px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; } dd { margin: 0; }
`;
