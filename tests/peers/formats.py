"""Reads what `lint` prints, in the directory given, as the programs it is printed for do."""

import sys
from pathlib import Path

from junitparser import JUnitXml
from lxml import etree

directory = Path(sys.argv[1])
schema = etree.XMLSchema(etree.parse(Path(__file__).parent.parent / "formats" / "junit-10.xsd"))
schema.assertValid(etree.parse(directory / "junit"))
suites = JUnitXml.fromfile(str(directory / "junit"))
counted = (suites.tests, suites.failures, suites.errors)
suites.update_statistics()
assert counted == (suites.tests, suites.failures, suites.errors) == (2, 1, 0), counted
print(f"{'junit':>12} valid by Jenkins' schema, read by junitparser")

errors = etree.parse(directory / "checkstyle").findall("file/error")
assert [error.get("severity") for error in errors] == ["warning", "error"], errors
print(f"{'checkstyle':>12} read by libxml2")
