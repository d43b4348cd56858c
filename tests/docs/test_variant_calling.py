"""The variant-calling example, as far as it goes without its tools; `make slow` runs it whole."""

from __future__ import annotations

import importlib.util
import re
from types import ModuleType

import pytest

from harness.program import ROOT

EXAMPLE = ROOT / "examples" / "variant_calling"
BEHIND_OUR_BACK = re.compile(r"\b(sqlite3|duckdb|\w*boto3|botocore|dynamodb|pyanamo_async\.\w+)\b")
OTHER_SERVICE = re.compile(r"^\s*aws\b(?!.* s3 )", re.MULTILINE)
OURS = {"pyanamo_async.entrypoint"}


@pytest.fixture
def cohort(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The program that makes the data, with chromosomes of a tenth."""
    spec = importlib.util.spec_from_file_location("cohort", EXAMPLE / "cohort.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "LENGTH", 20_000)
    return module


def test_the_example_reads_tables_with_commands_alone() -> None:
    """Whatever a workflow needs is a command: no file of it opens a table by other means."""
    texts = [path.read_text() for path in EXAMPLE.rglob("*") if path.is_file() and path.suffix != ".png"]

    assert texts
    assert {found for text in texts for found in BEHIND_OUR_BACK.findall(text)} <= OURS
    assert [found for text in texts for found in OTHER_SERVICE.findall(text)] == []


def test_the_planted_variants_are_in_the_reads(cohort: ModuleType) -> None:
    """Each says what stands in the reference, and each copy that carries it has it, and no other."""
    reference = cohort.genome()
    variants = cohort.plant(reference)
    bases, sample = reference["chr1"], 3
    carried = [each for each in variants if each.chromosome == "chr1" and each.copies[sample][0]]
    copy = cohort._copy(bases, "chr1", variants, sample, 0)

    assert len(variants) > 50
    assert all(reference[each.chromosome].startswith(each.ref, each.position) for each in variants)
    assert len(copy) == len(bases) + sum(len(each.alt) - len(each.ref) for each in carried)
    shift = 0
    for each in carried:
        assert copy.startswith(each.alt, each.position + shift)
        shift += len(each.alt) - len(each.ref)
    assert {len(read) for pair in cohort._pairs(copy, cohort.random.Random(1)) for read in pair} == {cohort.READ}
