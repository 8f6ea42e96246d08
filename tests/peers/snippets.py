"""Writes the YAML that README.md shows to the directory given, each file under the name in its first line."""

import re
import sys
from pathlib import Path

directory = Path(sys.argv[1])
readme = (Path(__file__).parent.parent.parent / "README.md").read_text()
snippets = re.findall(r"^```yaml\n# (\S+)\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
assert [name for name, _ in snippets] == [".github/workflows/msvc.yml", ".gitlab-ci.yml", ".pre-commit-config.yaml"], snippets
for name, text in snippets:
    path = directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
