"""Which archives may be unpacked, decided from their members alone."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyanamo_async.core.values import replace
from pyanamo_async.entrypoint.archive import ArchiveRefused, Kind, Limits, Member, plan, top_folder

FILE, FOLDER, LINK, HARD = Kind.FILE, Kind.FOLDER, Kind.SYMLINK, Kind.HARDLINK
names = st.sampled_from(["a", "b", "c", "..", ".", ""])
paths = st.lists(names, min_size=1, max_size=5).map("/".join)
members = st.builds(Member, path=paths, kind=st.sampled_from(Kind), target=st.one_of(st.just(""), paths))


def planned(*members: Member, limits: Limits = Limits()) -> list[Member]:  # noqa: B008 - a value
    return plan(members, 1000, limits=limits)


@given(st.lists(members, max_size=6))
def test_nothing_that_is_made_is_outside(given: list[Member]) -> None:
    """Whatever the names and links are: made by the plan, every one resolves to a place in the folder."""
    try:
        made = plan(given, 1000, limits=Limits())
    except ArchiveRefused:
        return
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "root"
        root.mkdir()
        for each in made:
            place = root / each.path
            place.parent.mkdir(parents=True, exist_ok=True)
            match each.kind:
                case Kind.FOLDER:
                    place.mkdir(exist_ok=True)
                case Kind.FILE:
                    place.touch(exist_ok=False)
                case Kind.HARDLINK:
                    place.hardlink_to(root / each.target)
                case Kind.SYMLINK:
                    place.symlink_to(each.target)
        for folder, folders, files in os.walk(root):
            for name in (*folders, *files):
                try:
                    found = (Path(folder) / name).resolve()
                except (OSError, RuntimeError):
                    continue  # links in a circle
                assert found.is_relative_to(root.resolve())


@pytest.mark.parametrize(
    ("member", "why"),
    [
        (Member("/etc/passwd", FILE), "absolute"),
        (Member("a/../../b", FILE), "'..'"),
        (Member("..", FOLDER), "'..'"),
        (Member("a", LINK, target="/etc"), "outside"),
        (Member("a/b", LINK, target="../../etc"), "outside"),
        (Member("a", LINK, target="b/../.."), "outside"),
        (Member("a", LINK), "outside"),
        (Member("a", HARD, target="/etc/passwd"), "absolute"),
        (Member("a", HARD, target="../b"), "'..'"),
        (Member("a", HARD, target="b"), "no file of the archive"),
        (Member("a", Kind.OTHER), "device"),
        (Member("", FILE), "no name"),
        (Member("a\0b", FILE), "NUL"),
        (Member("a" * 2000, FILE), "characters"),
    ],
)
def test_what_leads_outside_is_refused(member: Member, why: str) -> None:
    """With the reason."""
    with pytest.raises(ArchiveRefused, match=why):
        planned(member)


def test_a_path_through_a_link_is_refused() -> None:
    """The link may come before or after it."""
    through, link = Member("a/b", FILE), Member("a", LINK, target="c")
    for order in ([through, link], [link, through]):
        with pytest.raises(ArchiveRefused, match="lies below a, a symbolic link"):
            planned(Member("c", FOLDER), *order)


def test_a_name_that_comes_twice_is_refused() -> None:
    """Except that of a folder, which many programs pack again and again."""
    planned(Member("a", FOLDER), Member("a/", FOLDER))
    with pytest.raises(ArchiveRefused, match="a twice"):
        planned(Member("a", FILE), Member("./a", LINK, target="b"))


def test_number_and_size_are_limited() -> None:
    """The size also by that of the archive, above what is small anyway."""
    limits = Limits(members=3, small_bytes=500, ratio=2, total_bytes=3000)
    with pytest.raises(ArchiveRefused, match="more than 3 members"):
        plan([Member(each, FILE) for each in "abcd"], 1000, limits=limits)
    for archive_bytes, most in [(10, 500), (1000, 2000), (10_000, 3000)]:
        plan([Member("a", FILE, size_bytes=most)], archive_bytes, limits=limits)
        with pytest.raises(ArchiveRefused, match=f"more than {most:,} bytes"):
            plan([Member("a", FILE, size_bytes=most), Member("b", FILE, size_bytes=1)], archive_bytes, limits=limits)


def test_an_endless_archive_is_not_read_to_its_end() -> None:
    """Neither one of many members, nor one of a large one."""
    endless = (Member(str(number), FILE) for number in range(10**9))
    with pytest.raises(ArchiveRefused):
        plan(endless, 1000, limits=Limits())
    assert next(endless).path == "20001"


def test_links_inside_are_kept() -> None:
    """Also upwards, and to other links; they come last."""
    made = planned(
        Member("x/up", LINK, target="../y"),
        Member("y", LINK, target="x/f"),
        Member("x/f", FILE),
        Member("h", HARD, target="./x/f"),
    )

    assert [each.path for each in made] == ["x/f", "h", "x/up", "y"]


@pytest.mark.parametrize(
    ("paths", "top"),
    [
        (["p/a", "p/b"], "p"),
        (["p/a", "p/b", "__MACOSX/p/._a", "._p", ".DS_Store"], "p"),
        (["p/a", "b"], ""),
        (["a"], ""),
        ([], ""),
    ],
)
def test_one_folder_at_the_top_is_the_pipeline(paths: list[str], top: str) -> None:
    """What macOS adds does not count."""
    assert top_folder([Member(path, FILE) for path in paths]) == top
    assert top_folder([replace(Member("p", FOLDER))]) == "p"
