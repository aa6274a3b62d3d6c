"""How the page of a report looks, on a light and on a dark screen."""

STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6675; --paper: #fbfbf9; --card: #fff;
  --line: #dfe3e8; --accent: #b3361b; --warn: #8a5a00; --warn-paper: #fff4d9; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --soft: #98a3b3; --paper: #101418;
  --card: #181d23; --line: #2b323b; --accent: #ff7a55; --warn: #ffd166; --warn-paper: #2a2415; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, "Segoe UI",
  "Helvetica Neue", "Noto Sans", Arial, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 2.5rem 1.5rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; font-weight: 650; letter-spacing: -0.015em; margin: 0.9rem 0 0.3rem; }
p { margin: 0; }
.tag { display: inline-block; padding: 0.2rem 0.7rem; border-radius: 99px; background: var(--warn-paper);
  color: var(--warn); font-size: 0.8rem; font-weight: 650; letter-spacing: 0.05em; text-transform: uppercase; }
.about { color: var(--soft); }
.answer { margin: 1.8rem 0; padding: 1.5rem 1.7rem 1.7rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 12px; }
.class { font-size: 1.15rem; }
.class b { font-size: 1.5rem; margin-right: 0.4rem; color: var(--accent); }
.number { font-size: 2.6rem; font-weight: 650; letter-spacing: -0.02em; font-variant-numeric: tabular-nums; }
.number small { display: inline-block; margin-left: 0.9rem; font-size: 0.9rem; font-weight: 400;
  letter-spacing: 0; color: var(--soft); }
.scale { position: relative; height: 10px; margin-top: 0.6rem; border-radius: 5px; background: var(--line); }
.scale div { height: 100%; border-radius: 5px; background: var(--accent); }
.scale i { position: absolute; top: -5px; width: 2px; height: 20px; background: var(--ink); }
.cautions { display: flex; flex-wrap: wrap; gap: 0.5rem; margin: 1.3rem 0 0; padding: 0; list-style: none; }
.cautions li { padding: 0.25rem 0.75rem; border-radius: 6px; background: var(--warn-paper); color: var(--warn);
  font-size: 0.92rem; }
dl { display: grid; grid-template-columns: minmax(11rem, auto) 1fr; gap: 0 1.5rem; margin: 0 0 2rem; }
dt, dd { margin: 0; padding: 0.45rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
dt { color: var(--soft); }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: 1.1rem;
  margin: 0 0 2rem; }
figure { margin: 0; background: #000; border-radius: 10px; overflow: hidden; }
img { display: block; width: 100%; }
figcaption { padding: 0.5rem 0.8rem; color: #e6e9ee; font-size: 0.9rem; }
.statements { margin: 0 0 2rem; padding: 0; list-style: none; }
.statements li { padding: 0.5rem 0; border-bottom: 1px solid var(--line); }
.statements span { display: block; color: var(--soft); font-size: 0.85rem; }
summary { cursor: pointer; font-weight: 650; }
.tree, .tree ul { padding-left: 1.1rem; list-style: none; border-left: 1px solid var(--line); }
.tree { margin-top: 1rem; font-size: 0.88rem; overflow-wrap: anywhere; }
.tree li { padding: 0.12rem 0; }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; } dt { border: 0; padding-bottom: 0; } }
"""
