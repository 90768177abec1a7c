/**
 * The style of a crash run's report page. Each colour has two values: one on light ground, one on
 * dark.
 */
export const CRASH_PAGE_STYLE = `
:root {
  color-scheme: light dark;
  --ground: light-dark(#f4f6f8, #0e1318);
  --surface: light-dark(#ffffff, #161d25);
  --raised: light-dark(#eef2f5, #1f2832);
  --line: light-dark(#d9e0e6, #2b3641);
  --ink: light-dark(#17212b, #e6edf3);
  --muted: light-dark(#53616e, #9aa8b5);
  --accent: light-dark(#0b6e82, #4fc3d9);
  --pass: light-dark(#0f7a41, #3ecf7a);
  --fail: light-dark(#b91c2b, #ff7b7b);
  --fail-ground: light-dark(#fdeaea, #3a1518);
  --warn: light-dark(#8f5200, #f2b24a);
  --mono: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace;
}
* { box-sizing: border-box; }
html {
  background: var(--ground);
  color: var(--ink);
  font: 15px / 1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  font-variant-numeric: tabular-nums;
  -webkit-text-size-adjust: 100%;
}
body { margin: 0 auto; max-width: 1080px; padding: 20px 24px 64px; }
h1, h2, h3, p, ul, ol, dl, dd, pre, table { margin: 0; padding: 0; }
header { align-items: baseline; display: flex; flex-wrap: wrap; gap: 2px 14px; }
header p { color: var(--muted); overflow-wrap: anywhere; }
header .brand { color: var(--ink); font-weight: 650; }
section { margin-top: 28px; }
h2 { font-size: 1.1rem; font-weight: 650; margin-bottom: 8px; }
h3 { font-size: 0.8rem; font-weight: 600; color: var(--muted); margin-bottom: 4px; }
.card {
  background: var(--surface);
  border: 1px solid var(--line);
  border-radius: 8px;
  padding: 16px 18px;
}
.verdict {
  border-left: 5px solid var(--tone);
  display: grid;
  gap: 14px;
  grid-template-columns: minmax(0, 1fr);
  margin-top: 14px;
}
.verdict h1 { font-size: 1.35rem; font-weight: 680; line-height: 1.3; overflow-wrap: anywhere; }
.verdict h1 span { color: var(--tone); }
.tone-pass { --tone: var(--pass); }
.tone-fail { --tone: var(--fail); }
.tone-warn { --tone: var(--warn); }
ul.plain { list-style: none; }
ul.plain li { padding-left: 1.1em; text-indent: -1.1em; }
ul.plain li::before { color: var(--muted); content: "· "; }
.assumed { color: var(--muted); }
.story { overflow-wrap: anywhere; }
.tag {
  background: var(--raised);
  border-radius: 4px;
  font-size: 0.85em;
  padding: 1px 6px;
  white-space: nowrap;
}
.advice { border-left: 3px solid var(--accent); padding-left: 10px; }
code, pre { font-family: var(--mono); font-size: 0.86rem; }
pre {
  background: var(--raised);
  border-radius: 6px;
  overflow-x: auto;
  padding: 10px 12px;
}
pre.command { user-select: all; white-space: pre-wrap; overflow-wrap: anywhere; }
pre .lost { color: var(--fail); }
pre .torn { color: var(--warn); }
pre .said { color: var(--accent); }
pre .cut { background: var(--fail-ground); color: var(--fail); font-weight: 650; }
table { border-collapse: collapse; width: 100%; }
th, td {
  border-top: 1px solid var(--line);
  padding: 8px 10px 8px 0;
  text-align: left;
  vertical-align: top;
  overflow-wrap: anywhere;
}
thead th { border-top: 0; color: var(--muted); font-size: 0.8rem; font-weight: 600; }
tbody th { font-weight: 600; white-space: nowrap; }
.mark { white-space: nowrap; }
.mark.fail { color: var(--fail); }
.mark.pass { color: var(--pass); }
.mark.warn { color: var(--warn); }
.failure { display: grid; gap: 12px; grid-template-columns: minmax(0, 1fr); margin-bottom: 14px; }
details > summary { color: var(--accent); cursor: pointer; }
details > pre { margin-top: 8px; }
dl { display: grid; gap: 4px 16px; grid-template-columns: max-content 1fr; }
dt { color: var(--muted); }
dd { overflow-wrap: anywhere; }
@media (max-width: 640px) {
  body { padding: 14px 14px 48px; }
  .card { padding: 14px; }
  dl { grid-template-columns: 1fr; }
  dd { margin-bottom: 6px; }
  table, tbody, tr, td { display: block; }
  thead { display: none; }
  tbody th { border-top: 1px solid var(--line); display: inline-block; }
  td { border-top: 0; padding: 0 0 8px; }
  td.mark { display: inline-block; padding: 8px 0 0 6px; }
}
`;
