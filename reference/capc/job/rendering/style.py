"""The style sheet of the pages: light and dark, on a screen and on paper."""

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --paper: #ffffff; --line: #d0d7de; --band: #f6f8fa;
  --simulated: #fff4d6; --simulated-ink: #5c3d00; --real: #e6f4ea; --real-ink: #0b4a20; --link: #0550ae; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --soft: #9da7b3; --paper: #14181d; --line: #3a424c;
  --band: #1c2229; --simulated: #43330b; --simulated-ink: #ffe3a3; --real: #12351f; --real-ink: #b5efc6;
  --link: #79b8ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 68rem; padding: 1.5rem 1rem 4rem; color: var(--ink); background: var(--paper);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .75rem; }
h2 { font-size: 1.3rem; margin: 2.5rem 0 .5rem; padding-bottom: .25rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.5rem 0 .25rem; }
a { color: var(--link); }
nav ul { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; }
.banner, .warnings, .privacy { padding: .75rem 1rem; border-radius: .4rem; margin: 1rem 0;
  border: 1px solid var(--line); }
.banner p, .warnings ul, .privacy p { margin: .25rem 0 0; }
.simulated, .warnings { background: var(--simulated); color: var(--simulated-ink); }
.real { background: var(--real); color: var(--real-ink); }
.privacy { background: var(--band); }
.privacy .label { font-size: 1.15rem; font-weight: 600; }
.note { color: var(--soft); margin: .25rem 0; }
.wide { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: .25rem 0; }
th, td { padding: .25rem .7rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th { font-weight: 500; }
thead th { font-weight: 600; vertical-align: bottom; background: var(--band); }
td, th { max-width: 26rem; overflow-wrap: break-word; }
td.figure, th.figure { text-align: right; }
td.figure { white-space: nowrap; }
tbody tr:hover { background: var(--band); }
dl { display: grid; grid-template-columns: minmax(8rem, max-content) 1fr; gap: .15rem 1rem; font-size: .9rem; }
dt { color: var(--soft); }
dd { margin: 0; }
pre { background: var(--band); padding: .75rem 1rem; overflow-x: auto; white-space: pre-wrap; font-size: .85rem; }
figure { margin: 1rem 0; }
figure svg { display: block; max-width: 100%; height: auto; }
figure svg * { stroke-linejoin: round; stroke-linecap: butt; }
figcaption { color: var(--soft); font-size: .9rem; }
summary { cursor: pointer; font-weight: 600; margin: .5rem 0; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
@media print { :root { --ink: #000; --soft: #333; --paper: #fff; --line: #999; --band: #f2f2f2; --simulated: #fff;
  --simulated-ink: #000; --real: #fff; --real-ink: #000; --link: #000; }
  body { max-width: none; padding: 0; font-size: 10pt; } nav { display: none; } .wide { overflow: visible; }
  @page { size: A4 landscape; margin: 12mm; } table { font-size: 7.5pt; } th, td { padding: .15rem .35rem; }
  tr, figure, .banner, .privacy, .warnings { break-inside: avoid; } h2, h3, caption { break-after: avoid; }
  thead { display: table-header-group; } }
"""
