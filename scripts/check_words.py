"""Report unclear words in code, documents and pages: `python scripts/check_words.py`.

The exit status is 1 if there is any."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
FORBIDDEN = re.compile(
    r"\b(anew|befall\w*|befell|mend(s|ed|ing)?|beside|be it|of (one's|its|their) own accord|told"
    r"|meanwhile|made of|at hand|whoever|of nobody|thereof|therein|hindrance\w*)\b",
    re.IGNORECASE,
)
READ = (
    ".py",
    ".js",
    ".mjs",
    ".css",
    ".html",
    ".md",
    ".toml",
    ".yaml",
    ".yml",
    ".json",
    ".service",
    ".conf",
)
SKIPPED = ("LICENSE", "package-lock.json", "scripts/check_words.py", "benchmarks/results/")


def main() -> int:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    files = [name for name in listed.stdout.splitlines() if name.endswith(READ)]
    matches = 0
    for name in files:
        path = ROOT / name
        if name.startswith(SKIPPED) or not path.is_file():
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            for match in FORBIDDEN.finditer(line):
                print(f"{name}:{number}: “{match.group()}”: say it in plain English.")
                matches += 1
    return int(matches > 0)


if __name__ == "__main__":
    sys.exit(main())
