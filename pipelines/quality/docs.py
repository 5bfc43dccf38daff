"""Verdicts as pages: Great Expectations' own Data Docs, with the findings on the table as a whole above them.

A page fetches nothing: what Great Expectations takes from other hosts (styles, scripts, pictures) is left out, and a style
sheet of ours stands in the page. Pages are written when the gate has run, for then the library is loaded: a tenth of a second.
The index is made from the JSON verdicts beside them.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Any

from pipelines.quality.verdict import Verdict, read_verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipelines.quality.verdict import Finding, Outcome

_ELSEWHERE = re.compile(
    r"<script\b.*?</script>|<style\b.*?</style>|<link\b[^>]*>|<nav\b.*</nav>|<img\b[^>]*>|<footer\b.*?</footer>",
    re.DOTALL,
)
#: What is written around the results and means nothing on one page.
_AROUND = re.compile(r'<div class="col-lg-2.*?(?=<div class="col-md-10)', re.DOTALL)
_LINK = re.compile(r"<a\b[^>]*>(.*?)</a>", re.DOTALL)
_MARKS: dict[Outcome, str] = {"passed": "✔", "warned": "!", "failed": "✘"}
_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;color:#1c2733;margin:2rem auto;max-width:70rem;padding:0 1rem}
h1{font-size:1.5rem;margin:0 0 .2rem}h2{font-size:1.15rem;margin:1.6rem 0 .4rem}
h5{font-size:1.05rem;margin:1.4rem 0 .3rem}h6{margin:.4rem 0}
table{border-collapse:collapse;width:100%;margin:.3rem 0 .8rem}
td,th{border-bottom:1px solid #dde3ea;padding:.35rem .6rem;text-align:left;
vertical-align:top}th{font-weight:600;background:#f4f6f9}td table{width:auto;font-size:.85rem}a{color:#0b5394}
.passed,.text-success{color:#1a7f37}.warned,.text-warning{color:#9a6700}.failed,.text-danger{color:#c62828}
.fa-check-circle::before{content:"✔"}.fa-times::before{content:"✘"}.fa-exclamation-triangle::before{content:"!"}
i{font-style:normal;font-weight:700}
.badge,code{background:#eef1f5;border-radius:.25rem;padding:.05rem .35rem;font:.9em ui-monospace,monospace}
.mark{font-weight:700;width:1.6rem}td.n,th.n{text-align:right}.quiet{color:#5b6b7b}
@media(prefers-color-scheme:dark){body{background:#11171d;color:#dfe6ee}th{background:#1b242d}td,th{border-color:#2b3742}
.badge,code{background:#242f3a}a{color:#79b8ff}.passed,.text-success{color:#56d364}.failed,.text-danger{color:#ff7b72}
.warned,.text-warning{color:#e3b341}.quiet{color:#93a4b5}}
"""


def write_page(verdict: Verdict, report: Path, reports: Path) -> Path:
    """The page of ``verdict``, whose JSON is at ``report``.

    Args:
        verdict: the findings.
        report: JSON file under ``reports``.
        reports: the folder of verdicts; pages go to its ``docs``.
    """
    page = _page_of(report, reports)
    page.parent.mkdir(parents=True, exist_ok=True)
    of_columns = [finding for finding in verdict.findings if finding.measured is not None]
    of_table = [finding for finding in verdict.findings if finding.measured is None]
    body = [
        f'<p class="quiet"><a href="../index.html">all verdicts</a></p><h1>{_head(verdict)}</h1>',
        f"<p>{escape(report.stem)}: {verdict.rows} rows, {escape(verdict.summary())}</p>",
        "<h2>The table as a whole</h2>",
        _findings_table(of_table),
        "<h2>Its columns</h2>",
        _rendered(verdict.table, of_columns) if of_columns else "<p>The contract has no rule on a column.</p>",
    ]
    page.write_text(_document(verdict.table, "\n".join(body)), encoding="utf-8")
    return page


def write_index(reports: Path) -> Path:
    """``docs/index.html`` under ``reports``: each verdict there is, by table, newest first."""
    found: dict[str, list[tuple[datetime, Path, Verdict]]] = {}
    for file in reports.glob("*/*.json"):
        verdict = read_verdict(file)
        judged = datetime.fromtimestamp(file.stat().st_mtime, UTC)
        found.setdefault(verdict.table.partition(" ")[0], []).append((judged, file, verdict))
    body = ["<h1>Verdicts of the gate</h1>"]
    for table, judgements in sorted(found.items()):
        body.append(f"<h2>{escape(table)}</h2><table><tr><th></th><th>file</th><th>judged (UTC)</th>")
        body.append('<th class="n">rows</th><th>expectations</th><th>what was found</th></tr>')
        for judged, file, verdict in sorted(judgements, key=lambda each: (each[0], each[1]), reverse=True):
            page = _page_of(file, reports)
            name = escape(file.stem)
            if page.is_file():
                name = f'<a href="{escape(page.parent.name)}/{escape(page.name)}">{name}</a>'
            worst = [*verdict.failures, *verdict.warnings]
            told = escape("; ".join(f"{each.column or 'table'}: {each.observed}" for each in worst[:3]))
            more = f" … and {len(worst) - 3} more" if len(worst) > 3 else ""  # noqa: PLR2004 - a glance
            body.append(
                f"<tr>{_mark(_outcome(verdict))}<td>{name}</td><td>{judged:%Y-%m-%d %H:%M}</td>"
                f'<td class="n">{verdict.rows}</td><td>{escape(verdict.summary())}</td><td>{told}{more}</td></tr>'
            )
        body.append("</table>")
    index = reports / "docs" / "index.html"
    index.parent.mkdir(parents=True, exist_ok=True)
    index.write_text(_document("Verdicts", "\n".join(body)), encoding="utf-8")
    return index


def _page_of(report: Path, reports: Path) -> Path:
    return reports / "docs" / report.parent.name / f"{report.stem}.html"


def _outcome(verdict: Verdict) -> Outcome:
    return "failed" if verdict.failures else "warned" if verdict.warnings else "passed"


def _head(verdict: Verdict) -> str:
    words = {"passed": "passed", "warned": "passed, with remarks", "failed": "not published"}
    outcome = _outcome(verdict)
    return f'{escape(verdict.table)} <span class="{outcome}">{words[outcome]}</span>'


def _mark(outcome: Outcome) -> str:
    return f'<td class="mark {outcome}" title="{outcome}">{_MARKS[outcome]}</td>'


def _findings_table(findings: Sequence[Finding]) -> str:
    rows = [
        f"<tr>{_mark(each.outcome)}<td>{escape(each.expectation.replace('_', ' '))}</td>"
        f"<td>{escape(each.column or '')}</td><td>{escape(each.observed)}</td></tr>"
        for each in findings
    ]
    return f"<table><tr><th></th><th>expectation</th><th>columns</th><th>observed</th></tr>{''.join(rows)}</table>"


def _rendered(table: str, findings: Sequence[Finding]) -> str:
    """The findings on columns as Great Expectations words and lays them out."""
    from great_expectations.core import ExpectationSuiteValidationResult
    from great_expectations.render.renderer import ValidationResultsPageRenderer
    from great_expectations.render.view import DefaultJinjaPageView

    results = [_result(finding) for finding in findings]
    good = sum(1 for result in results if result.success)
    counts = {
        "evaluated_expectations": len(results),
        "successful_expectations": good,
        "unsuccessful_expectations": len(results) - good,
        "success_percent": 100 * good / len(results),
    }
    suite = ExpectationSuiteValidationResult(
        success=good == len(results), results=results, suite_name=table, statistics=counts, meta=_META
    )
    html = DefaultJinjaPageView().render(ValidationResultsPageRenderer(run_info_at_end=True).render(suite))
    body = html[html.index("<body") : html.index("</body>")]
    body = _AROUND.sub("", _ELSEWHERE.sub("", body)).removeprefix("<body>")
    return _LINK.sub(r"\1", body)


_META: dict[str, Any] = {
    "run_id": {"run_name": "gate", "run_time": ""},
    "batch_kwargs": {},
    "active_batch_definition": {},
}


def _result(finding: Finding) -> Any:
    from great_expectations.core import ExpectationValidationResult
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    measured = finding.measured
    if measured is None:
        raise ValueError(f"{finding.expectation} is not an expectation on cells")
    share = 100 * measured.unexpected / measured.rows if measured.rows else 0.0
    return ExpectationValidationResult(
        success=finding.outcome == "passed",
        expectation_config=ExpectationConfiguration(
            type=finding.expectation, kwargs=json.loads(json.dumps(measured.arguments, default=str))
        ),
        result={
            "element_count": measured.rows,
            "unexpected_count": measured.unexpected,
            "unexpected_percent": share,
            "partial_unexpected_list": list(measured.examples),
        },
        exception_info={"raised_exception": False, "exception_message": None, "exception_traceback": None},
    )


def _document(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>{body}</body></html>\n'
    )
