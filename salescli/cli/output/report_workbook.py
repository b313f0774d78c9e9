"""The workbook of a report: a cover, a sheet for each breakdown, charts (B12)."""

from __future__ import annotations

from salescli.cli.output import chart, report_cover
from salescli.cli.output.contract import Output
from salescli.cli.output.destination import bytes_of
from salescli.cli.output.report_cover import Origin
from salescli.cli.output.report_rows import Found


def write(found: Found, origin: Origin, output: Output) -> None:
    """Write the breakdowns with their tie-out and the columns of --columns to ``--xlsx FILE``."""
    from salescli.cli.output import workbook

    title = f"{report_cover.TITLE}: {output.title.removeprefix('reports ')}"
    with bytes_of(output) as stream, workbook.writing(stream, origin.zone, title) as book:
        book.cover(list(report_cover.facts(origin)), report_cover.tables(found.statement))
        for report, rows in found.rows.items():
            columns = output.among(report.columns)
            book.sheet(report.name, columns, rows)
        book.charts({report.name: chart.of_report(report, rows) for report, rows in found.rows.items()})
        found.let_go()
