"""The import graph keeps its direction, and heavy packages stay inside functions."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "pipeline"
GROUND = ("errors", "settings", "types", "prompts")
ROOMS = (
    *GROUND,
    "models",
    "media",
    "store",
    "ingest",
    "retrieve",
    "answer",
    "export",
    "integrations",
    "library",
    "evaluate",
    "apps",
)
HEAVY = {"torch", "transformers", "whisper", "sentence_transformers", "chromadb", "llama_index"}
HEAVY |= {"ray", "fastapi"}
# What `footnote serve` alone loads, inside its command.
SERVING = ("apps/server.py", "apps/serving/")
MODULES = sorted(PACKAGE.rglob("*.py"))


def room_of(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "pipeline" and len(parts) > 1 else None


def imports(tree: ast.AST) -> Iterator[tuple[str, bool]]:
    """(module, runs at import time) of every import; type-checking blocks are left out."""

    def walk(node: ast.AST, at_import: bool) -> Iterator[tuple[str, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            if isinstance(child, ast.Import):
                yield from ((alias.name, at_import) for alias in child.names)
            elif isinstance(child, ast.ImportFrom) and child.module:
                yield from ((f"{child.module}.{a.name}", at_import) for a in child.names)
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from walk(child, at_import and not inside)

    yield from walk(tree, True)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_module_imports_only_rooms_above_its_own(path: Path) -> None:
    own = path.relative_to(PACKAGE).with_suffix("").parts[0]
    if own == "__init__":
        return
    serves = path.relative_to(PACKAGE).as_posix().startswith(SERVING)
    heavy = HEAVY - {"fastapi"} if serves else HEAVY
    for module, at_import in imports(ast.parse(path.read_text(encoding="utf-8"))):
        room = room_of(module)
        assert room is None or room == "__version__" or room in ROOMS, f"unknown room in {module}"
        if room in ROOMS:
            assert ROOMS.index(room) <= ROOMS.index(own), f"{path.name} reaches down to {module}"
        if at_import:
            assert module.split(".")[0] not in heavy, f"{path.name} imports {module} when imported"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_every_module_says_what_it_is(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert path.stat().st_size == 0 or ast.get_docstring(tree), f"{path} has no docstring"


def test_the_library_prints_nothing_itself() -> None:
    """Only the apps, and child processes that speak through a pipe, may write to stdout."""
    for path in MODULES:
        if path.relative_to(PACKAGE).parts[0] == "apps":
            continue
        calls = [n for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, ast.Call)]
        names = {n.func.id for n in calls if isinstance(n.func, ast.Name)}
        assert "print" not in names, f"{path} prints"


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from pipeline.apps.cli import main\n"
        "code = main(['--help'])\n"
        "print(sorted(set(m.split('.')[0] for m in sys.modules)), file=sys.stderr)\n"
        "sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "add" in done.stdout and "search" in done.stdout
    loaded = set(ast.literal_eval(done.stderr.strip().splitlines()[-1]))
    slow = HEAVY | {"numpy", "av", "cv2", "onnxruntime", "pydantic_settings"}
    assert not loaded & slow, f"footnote --help loads {loaded & slow}"
