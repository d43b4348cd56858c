"""Which folders a task has, and what their objects are called."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyanamo_async.core.folders import NO_FOLDERS, Folder, folders_of, parse_folders, show_folders
from pyanamo_async.core.object_names import is_of, object_path, results_folder, results_index
from pyanamo_async.core.results import ResultFile, decode_results, encode_results

NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=8)
PATHS = st.lists(NAMES.filter(lambda name: name not in (".", "..")), min_size=1, max_size=3).map("/".join)


def test_a_task_has_the_folders_that_its_script_names() -> None:
    """And those that somebody asks for; all others have none."""
    assert folders_of("echo $PYANAMO_ITEM_ID") == NO_FOLDERS
    assert folders_of('cp out "$PYANAMO_RESULTS"') == {Folder.RESULTS}
    assert folders_of("tool --state ${PYANAMO_CHECKPOINT}/s", frozenset({Folder.SCRATCH})) == {
        Folder.CHECKPOINT,
        Folder.SCRATCH,
    }


def test_folders_are_asked_for_by_their_words() -> None:
    """Any other word is refused, with those that there are; what is shown is read back."""
    assert parse_folders(" results, scratch") == {Folder.RESULTS, Folder.SCRATCH}
    assert parse_folders("") == NO_FOLDERS
    assert parse_folders(show_folders(frozenset(Folder))) == frozenset(Folder)
    with pytest.raises(ValueError, match="'result' is none of checkpoint, results, scratch"):
        parse_folders("result")


@given(st.lists(PATHS, min_size=2, max_size=2, unique=True))
def test_no_two_files_share_an_object(paths: list[str]) -> None:
    """Whatever their names are."""
    assert object_path(paths[0]) != object_path(paths[1])


@given(PATHS)
def test_objects_have_names_that_every_store_can_hold(path: str) -> None:
    """No control character, and no name that begins with a dot, which partial files have."""
    stored = object_path(path)

    assert all(each >= " " and each != "\x7f" for each in stored)
    assert not any(name.startswith(".") for name in stored.split("/"))


def test_ordinary_names_are_kept() -> None:
    """Other tools find the files."""
    for path in ("a/b c.vcf.gz", "year=2024/part=00.parquet", "caf\N{LATIN SMALL LETTER E WITH ACUTE}.txt"):
        assert object_path(path) == path


def test_objects_of_an_item_are_told_from_those_of_another_mark() -> None:
    """An item that was deleted and imported again has other objects."""
    folder = results_folder(12, "00ab")

    assert is_of(f"{folder}x", "00ab")
    assert is_of(results_index(folder), "00ab")
    assert is_of("checkpoint/00ab/1/1/manifest", "00ab")
    assert not is_of(f"{folder}x", "0ab")
    assert not is_of("checkpoint/00ab/1/1/manifest", "00")
    assert not is_of("1-00ab.stdout.gz", "00ab")


@given(st.lists(st.builds(ResultFile, PATHS, st.integers(0, 2**53))))
def test_a_list_of_files_is_read_back(files: list[ResultFile]) -> None:
    """With their paths and sizes."""
    assert decode_results(encode_results(files)) == files


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[1]", b'[{"path": "../x", "bytes": 1}]', b'[{"path": "/x", "bytes": 1}]']
)
def test_a_list_that_leads_elsewhere_is_refused(content: bytes) -> None:
    """Nothing is written outside of the folder that files are fetched into."""
    with pytest.raises(ValueError, match=r".+"):
        decode_results(content)
