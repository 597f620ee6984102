import doctest
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def test_examples_of_the_ctc_page_run() -> None:
    result = doctest.testfile(str(DOCS / "ctc.md"), module_relative=False, encoding="utf-8")
    assert result.attempted >= 20
    assert result.failed == 0


def test_figures_of_the_ctc_page_exist() -> None:
    figures = re.findall(r"!\[[^]]+\]\((figures/[^)]+)\)", (DOCS / "ctc.md").read_text(encoding="utf-8"))
    assert len(figures) == 3
    assert all((DOCS / figure).stat().st_size > 1000 for figure in figures)


def test_figures_are_drawn_by_the_package(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    import runpy
    import sys
    from unittest import mock

    with mock.patch.object(sys, "argv", ["ctc.py", str(tmp_path)]):
        runpy.run_path(str(DOCS / "figures" / "ctc.py"), run_name="__main__")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ctc-lattice.svg", "ctc-peaks.svg", "ctc-posterior.svg"]
