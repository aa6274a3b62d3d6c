"""The record of a commissioning as one HTML page that needs nothing else, to be printed and signed."""

from html import escape

from config.settings import Tls
from dicom_out.page_style import STYLE
from node.commission_record import Record, Verdict

_OWN_STYLE = """
table { width: 100%; border-collapse: collapse; margin: 0 0 2rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: 0.5rem 0.8rem 0.5rem 0; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 400; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 0.6rem; }
.wrong { color: var(--accent); font-weight: 650; } .note { color: var(--warn); font-weight: 650; }
.sign { display: grid; grid-template-columns: 1fr 1fr; gap: 3rem; margin-top: 4rem; }
.sign p { border-top: 1px solid var(--ink); padding-top: 0.4rem; color: var(--soft); }
@media print { :root { --paper: #fff; --card: #fff; } main { padding: 0; } }
"""


def html(record: Record) -> str:
    site, listener = record.site, record.site.settings.listener
    wrong = sum(step.verdict is Verdict.WRONG for step in record.steps)
    notes = sum(step.verdict is Verdict.NOTE for step in record.steps)
    verdict = "Something is wrong" if wrong else "Everything tried works"
    worth = f"; {notes} worth a note" if notes else ""
    facts = {
        "Destination": f"{site.to.name}: {site.to.ae_title} at {site.to.host}:{site.to.port}",
        "Node": f"{listener.ae_title} at port {listener.port}, sedas-node {record.software_version}",
        "Installation": record.installation_id,
        "Callers let in": ", ".join(listener.calling_ae_titles),
        "TLS": f"{_tls(site.to.tls)} to the destination, {_tls(listener.tls)} to the node",
        "Storage commitment": "asked for" if site.to.commitment else "not asked for",
        "Begun": f"{record.started_at:%Y-%m-%d %H:%M:%S} UTC",
    }
    rows = "".join(
        f"<tr><td class={step.verdict}>{step.verdict}</td><td>{escape(step.name)}</td>"
        f"<td>{escape(step.said)}</td><td>{step.took_s:.1f}&nbsp;s</td></tr>\n"
        for step in record.steps
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Commissioning of {escape(site.to.name)}</title>\n<style>{STYLE}{_OWN_STYLE}</style>\n"
        "</head>\n<body>\n<main>\n"
        "<p class=tag>Research software &middot; not a medical device</p>\n"
        f"<h1>Commissioning of {escape(site.to.name)}</h1>\n<p class=about>{verdict}{worth}</p>\n"
        f"<h2>Who with whom</h2>\n<dl>{_definitions(facts)}</dl>\n"
        "<h2>What was tried</h2>\n<table><tr><th>Outcome<th>What<th>What was seen<th>Took</tr>\n"
        f"{rows}</table>\n{_contexts(record)}"
        "<div class=sign><p>For the node, date</p><p>For the destination, date</p></div>\n"
        "</main>\n</body>\n</html>\n"
    )


def _tls(tls: Tls | None) -> str:
    return "without" if tls is None else "with certificates"


def _definitions(facts: dict[str, str]) -> str:
    return "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items())


def _contexts(record: Record) -> str:
    """Each SOP class with the answers to its transfer syntaxes."""
    if not record.contexts:
        return ""
    rows = "".join(
        f"<tr><td>{escape(n.sop_class.name)}</td><td>{escape(n.transfer_syntax.name)}</td>"
        f"<td>{escape(n.in_words)}</td></tr>\n"
        for n in record.contexts
    )
    return (
        "<h2>Presentation contexts</h2>\n<table><tr><th>SOP class<th>Transfer syntax<th>Answer</tr>\n"
        f"{rows}</table>\n"
    )
