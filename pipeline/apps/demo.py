"""`make demo`: adds the sample library and asks it four questions, one of which it cannot answer.

Every step is a `footnote` command line, printed as a user would type it and run as it is printed.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from pipeline.apps import cli

VIDEOS = Path(__file__).resolve().parent.parent.parent / "data" / "videos"

QUESTIONS = (
    "When will the Little Auk be back in service?",
    "error E-31 tide logger fix",
    "Why should visitors walk around Duchess?",
    "How much is a ticket for the ferry to Sorrel Holm?",
)


def main() -> int:
    parser = argparse.ArgumentParser(description="Show Footnote on its sample library.")
    parser.add_argument("--library", default="demo-library")
    library = parser.parse_args().library
    code = _run("add", _shown(VIDEOS), "--profile", "embedded", "--library", library)
    if code:
        return code
    for question in QUESTIONS:
        code = _run("ask", question, "--library", library)
        if code:
            return code
    footnote, where = ".venv/bin/footnote", f"--library {library}"
    print(
        "\nNext:\n"
        f"  {footnote} ask 'How wide is the mirror of the big telescope?' {where}\n"
        f"  {footnote} search 'great storm' {where}\n"
        f"  {footnote} add YOUR-VIDEOS && {footnote} ask 'YOUR QUESTION'"
    )
    return 0


def _shown(path: Path) -> str:
    """Relative to the current folder where that is shorter."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _run(*arguments: str) -> int:
    print(f"\n$ footnote {shlex.join(arguments)}", flush=True)
    return cli.main(arguments)


if __name__ == "__main__":
    sys.exit(main())
