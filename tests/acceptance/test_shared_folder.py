"""Several tables whose output goes to one folder."""

from __future__ import annotations

from pathlib import Path

from harness.program import Program, program

LARGE = "head -c 300000 /dev/urandom | base64 -w 0; echo; echo table {name} attempt"


def _table(folder: Path, name: str) -> Program:
    (folder / name).parent.mkdir(exist_ok=True)
    return program(folder, table=f"sqlite:{name}", bucket=f"file:{folder}/logs", env={})


def test_tables_of_one_name_keep_their_output_apart(tmp_path: Path) -> None:
    """Two files of one name, of another suffix, and one made again: each shows what its own tasks printed."""
    tables = {name: _table(tmp_path, name) for name in ("1/same.db", "2/same.db", "2/same.sqlite")}
    for name, table in tables.items():
        table.import_rows("a|s|" + LARGE.format(name=name))
        table("run")
    tables["2/same.db"]("table", "delete", "--yes")
    tables["2/same.db"].import_rows("a|s|" + LARGE.format(name="again"))
    tables["2/same.db"]("run")

    expected = {"1/same.db": "1/same.db", "2/same.db": "again", "2/same.sqlite": "2/same.sqlite"}
    shown = {name: table("logs", "a", "--tail", "1") for name, table in tables.items()}
    assert {name: f"table {said} attempt\n" for name, said in expected.items()} == shown


def test_an_older_attempt_is_found_where_its_table_filed_it(tmp_path: Path) -> None:
    """`logs --attempt` looks under the name that the worker used."""
    table = _table(tmp_path, "same.db")
    table.import_rows("a|s|" + LARGE.format(name="$RANDOM") + "; test -e again || { touch again; exit 1; }")
    table("run", "--backoff", "1ms..2ms")

    assert "table" in table("logs", "a", "--attempt", "1", "--tail", "1")
    assert table("logs", "a", "--attempt", "1") != table("logs", "a")
