"""A gate report as JUnit XML, which continuous integration systems show as tests."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

from constrained.consistency.analysis.gates import GateReport, GateResult

__all__ = ["to_junit"]

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 has no way to write."""


def to_junit(report: GateReport, name: str = "consistency") -> str:
    """The report as one test suite: a failed gate is a failure, one without data is an error.

    Every gate and judge is a test case; numbers stand in its properties. `name` is the suite's.

    >>> from constrained.consistency.analysis.gates import GateReport
    >>> to_junit(GateReport(())).splitlines()[1]
    '<testsuites name="consistency" tests="0" failures="0" errors="0">'
    """
    verdicts = [result.verdict for result in report.results]
    counts = {
        "tests": str(len(verdicts)),
        "failures": str(verdicts.count("fail")),
        "errors": str(verdicts.count("not enough data")),
    }
    suites = ElementTree.Element("testsuites", {"name": _written(name), **counts})
    suite = ElementTree.SubElement(suites, "testsuite", {"name": _written(name), **counts})
    for result in report.results:
        _case(suite, result)
    ElementTree.indent(suites)
    body = ElementTree.tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


def _case(suite: ElementTree.Element, result: GateResult) -> None:
    case = ElementTree.SubElement(
        suite,
        "testcase",
        {"name": _written(str(result.gate)), "classname": _written(result.judge), "time": "0"},
    )
    properties = ElementTree.SubElement(case, "properties")
    found = result.estimate
    for key, number in (("value", found.value), ("low", found.low), ("high", found.high)):
        if not math.isnan(number):
            ElementTree.SubElement(properties, "property", {"name": key, "value": f"{number:.6g}"})
    if result.verdict != "pass":
        kind = "failure" if result.verdict == "fail" else "error"
        reason = _written(result.reason)
        problem = ElementTree.SubElement(
            case, kind, {"message": reason, "type": result.verdict.replace(" ", "_")}
        )
        problem.text = reason


def _written(text: str) -> str:
    return NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
