/** How the page looks. Blue and orange are told apart by everyone; shapes and words say the same as colours. */

/** The style sheet. */
export const CSS = `
:root {
  --paper: #fcfcfa; --ink: #1d2126; --soft: #5c646e; --line: #e2e4e3; --card: #ffffff;
  --ours: #0b62b0; --c: #1d2126; --peer: #b35a00; --goal: #0b62b01c; --bad: #a33c00;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171a; --ink: #e8eaec; --soft: #9aa4ae; --line: #2b3137; --card: #1a1e22;
    --ours: #62b0ff; --c: #e8eaec; --peer: #f0a04b; --goal: #62b0ff26; --bad: #ff9d5c;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "Noto Sans", sans-serif;
}
main { max-width: 1240px; margin: 0 auto; padding: 40px 24px 64px; }
h1 { font-size: 30px; line-height: 1.2; letter-spacing: -.01em; margin: 0 0 12px; }
h2 { font-size: 20px; margin: 48px 0 12px; }
h3 { font-size: 15px; margin: 24px 0 8px; }
p { margin: 0 0 8px; max-width: 75ch; }
header p { color: var(--soft); margin: 0 0 2px; max-width: none; }
header .machine { color: var(--ink); font-weight: 600; }
header .warning { color: var(--bad); margin-top: 8px; font-weight: 600; }
.aside, caption span { color: var(--soft); font-weight: 400; font-size: 14px; margin-left: 8px; }
.panels { display: flex; flex-wrap: wrap; gap: 20px; align-items: flex-start; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 400; white-space: nowrap; }
td { text-align: right; white-space: nowrap; }
caption { text-align: left; font-weight: 600; padding-bottom: 8px; }
thead th { color: var(--soft); font-size: 13px; text-align: right; }
.panel, .versus {
  background: var(--card); border: 1px solid var(--line); border-radius: 10px; border-spacing: 0;
  border-collapse: separate; padding: 14px 12px; flex: 1 1 520px; display: block; overflow-x: auto;
}
.panel tr > th:first-child { width: 136px; padding-right: 6px; }
.panel .plot { padding: 0; width: 220px; text-align: left; }
.panel td:nth-child(3) { width: 84px; padding-left: 6px; }
.panel .ratio, .panel thead th:last-child { width: 58px; padding-left: 6px; }
.goals tbody tr:not(.group) th { padding-left: 12px; }
.panel .group th { font-weight: 600; padding-top: 8px; color: var(--ink); }
.panel tbody tr:not(.group) th { padding-left: 12px; }
.panel tbody td, .panel tbody th { line-height: 22px; }
.peer th, .peer td, .c th, .c td { color: var(--soft); }
.ours td:nth-child(3) { font-weight: 600; }
svg { display: block; overflow: visible; }
svg text { font-size: 11px; fill: var(--soft); }
.grid { stroke: var(--line); }
.c-line { stroke: var(--c); stroke-dasharray: 2 3; opacity: .55; }
.goal { fill: var(--goal); }
.range { stroke-width: 2; stroke-linecap: round; opacity: .55; }
.ours .point { fill: var(--ours); } .ours .range { stroke: var(--ours); }
.c .point { fill: var(--c); } .c .range { stroke: var(--c); }
.peer .point { fill: var(--card); stroke: var(--peer); stroke-width: 2; } .peer .range { stroke: var(--peer); }
.met { color: var(--ours); } .missed { color: var(--bad); }
.met, .missed { font-weight: 600; }
.goals th, .goals td, .versus th, .versus td, .all th, .all td { padding: 4px 12px 4px 0; }
.goals td, .versus td { min-width: 78px; }
.all tbody tr { border-top: 1px solid var(--line); }
.goals .group th { font-weight: 600; padding-top: 10px; border-top: 1px solid var(--line); }
.goals tbody td:nth-child(2) { color: var(--soft); }
.versus thead th:first-child, .all thead th:nth-child(-n+3), .goals thead th:first-child { text-align: left; }
.versus .faster { color: var(--ours); font-weight: 600; } .versus .slower { color: var(--soft); }
.all { font-size: 13px; } .all th { color: var(--soft); }
ul { margin: 0; padding-left: 20px; }
summary { cursor: pointer; color: var(--soft); }
@media (max-width: 640px) {
  main { padding: 24px 12px 48px; }
  h1 { font-size: 24px; }
  .panels { gap: 14px; }
  .panel, .versus { flex-basis: 100%; padding: 12px 10px; font-size: 13px; }
  .panel { display: table; }
  .panel tr > th:first-child { width: auto; padding-right: 6px; }
  .panel .plot { width: 40%; }
  .panel .plot svg { width: 100%; height: auto; }
  .panel thead svg { display: none; }
  .panel td:nth-child(3), .panel .ratio { width: auto; padding-left: 6px; }
  .goals { font-size: 13px; }
  .goals th, .goals td { padding-right: 6px; white-space: normal; }
  .goals td { min-width: 0; white-space: nowrap; }
}
`;
