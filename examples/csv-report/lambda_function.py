"""Adds up the columns of a CSV file by group."""

import base64
import csv
import gzip
import io
import logging
from collections import Counter, defaultdict
from decimal import Decimal, InvalidOperation

logger = logging.getLogger()
logger.setLevel(logging.INFO)


def lambda_handler(event, context):
    report = summarise(read_text(event), event["group_by"], event["totals"])
    logger.info("%d rows in %d groups", report["rows"], len(report["groups"]))
    return report


def read_text(event):
    """The CSV text of the event: plain in `csv`, or gzipped and in base64 in `csv_gzip`."""
    if "csv" in event:
        return event["csv"]
    if "csv_gzip" in event:
        return gzip.decompress(base64.b64decode(event["csv_gzip"])).decode("utf-8-sig")
    raise ValueError("the event needs `csv` or `csv_gzip`")


def summarise(text, group_by, columns):
    """Rows and totals per value of the column `group_by`, largest group first."""
    reader = csv.DictReader(io.StringIO(text))
    unknown = {group_by, *columns} - set(reader.fieldnames or ())
    if unknown:
        raise ValueError(f"no such column: {', '.join(sorted(unknown))}")

    rows = Counter()
    totals = defaultdict(lambda: dict.fromkeys(columns, Decimal()))
    for row in reader:
        group = row[group_by]
        rows[group] += 1
        for column in columns:
            totals[group][column] += number(row[column], column, reader.line_num)
    return {
        "rows": rows.total(),
        "groups": [
            {group_by: group, "rows": count, **{name: float(total) for name, total in totals[group].items()}}
            for group, count in rows.most_common()
        ],
    }


def number(text, column, line):
    """The number in a cell; an empty cell counts as nothing. Decimal, so that totals carry no rounding error."""
    try:
        return Decimal(text or 0)
    except InvalidOperation as error:
        raise ValueError(f"line {line}: {column} is not a number: {text!r}") from error
