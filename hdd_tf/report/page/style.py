"""How the page looks: on wide and narrow screens, in the dark, and on paper."""

# Nothing but what the page itself holds may be loaded, and nothing be sent.
POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'"
)

STYLE = """
:root { color-scheme: light dark; --line: #d0d3d8; --soft: #5a6069; --page: #ffffff;
  --text: #1b1e23; --band: #f4f5f7; --link: #1a56b8; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 76rem; background: var(--page);
  color: var(--text); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.3rem; margin: 2.5rem 0 .5rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
h4 { font-size: 1rem; margin: 1.25rem 0 .25rem; }
p, ol, ul { max-width: 48rem; margin: .5rem 0; }
a { color: var(--link); }
code { font-size: .9em; }
td code { white-space: nowrap; }
.soft, figcaption, .notes { color: var(--soft); font-size: .9rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .8rem; margin: .5rem 0; }
th, td { padding: .3rem .5rem; border-bottom: 1px solid var(--line);
  vertical-align: top; overflow-wrap: normal; }
thead th { background: var(--band); vertical-align: bottom; }
td.number { text-align: right; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
td.words { text-align: left; min-width: 4rem; }
td.long { text-align: left; min-width: 12rem; }
th { text-align: left; }
th.number { text-align: right; }
figure { margin: .5rem 0 1rem; }
figure > img { max-width: 100%; height: auto; }
.sheet { display: flex; flex-wrap: wrap; gap: .6rem 1rem; list-style: none; padding: 0;
  max-width: none; margin: .5rem 0; }
.sheet li { max-width: 100%; font-size: .85rem; line-height: 1.3; break-inside: avoid; }
.sheet img { display: block; max-width: 100%; height: auto;
  image-rendering: pixelated; }
.columns { display: flex; flex-wrap: wrap; gap: 0 2.5rem; align-items: flex-start; }
meter { width: 8rem; height: .9rem; vertical-align: middle; }
@media (max-width: 40rem) {
  body { padding: .8rem; }
  h1 { font-size: 1.35rem; }
  meter { width: 5rem; }
}
@media screen and (prefers-color-scheme: dark) {
  :root { --line: #3a3f47; --soft: #a5acb6; --page: #15181c; --text: #e5e8ec;
    --band: #1f2329; --link: #84b4ff; }
  /* Charts are black on white; hues stay what the legends say. */
  img.chart { filter: invert(.92) hue-rotate(180deg); }
}
@media print {
  body { max-width: none; padding: 0; font-size: 9pt; }
  .scroll { overflow: visible; }
  table { font-size: 6.5pt; }
  th, td { padding: .1rem .25rem; }
  td.words, td.long { min-width: 0; }
  nav { display: none; }
  h2, h3, h4 { break-after: avoid; }
  figure, tr { break-inside: avoid; }
}
"""
