"""How the report's page looks: narrow and wide, light and dark, and on paper."""

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 64rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.6rem; line-height: 1.2; }
h2 { font-size: 1.2rem; margin-top: 2.5rem; border-bottom: 1px solid var(--line); }
code { overflow-wrap: anywhere; font-size: .9em; }
figure { margin: 1rem 0; }
img { max-width: 100%; height: auto; background: #fff; border-radius: 4px; }
figcaption, footer { font-size: .85rem; opacity: .75; overflow-wrap: anywhere; }
.wide { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .85rem; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--line); text-align: left; }
td { vertical-align: top; }
th { background: var(--soft); }
summary { cursor: pointer; }
footer { margin-top: 3rem; }
@media print {
  details > * { display: block; }
  .wide { overflow: visible; }
  figure, tr { break-inside: avoid; }
  main { max-width: none; }
}
"""
