"""The commands as a whole: their letters, their help, and what other programs call them."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress

import pytest
import typer

from pyanamo_async.cli.other_words import OTHER_WORDS
from tests.cli.conftest import Cli
from tests.docs.cli_reference import find, leaves, root

EXCEPTIONS = {
    ("import", "-i"): "the original's import-items.py has its file behind -i",
    ("import", "-n"): "the original's import-items.py has its delimiter of arguments behind -n",
    ("bench", "-i"): "it is how many items run at a time, as of `run`",
}


def test_a_letter_means_one_thing() -> None:
    """Whoever knows it from one command knows it for all; exceptions have a reason."""
    meanings: defaultdict[str, set[str]] = defaultdict(set)
    given_up = set(EXCEPTIONS)
    for path, command in leaves(root()):
        for option in command.params:
            letters = [each for each in option.opts if len(each) == 2]
            for letter in letters:
                if (key := (" ".join(path), letter)) in EXCEPTIONS:
                    given_up.discard(key)
                else:
                    meanings[letter].add(max(option.opts, key=len))

    assert {letter: names for letter, names in meanings.items() if len(names) > 1} == {}
    assert given_up == set()


def test_every_command_flag_and_argument_has_help() -> None:
    """In `--help`, and so in the reference; that the guide shows each command is tested beside it."""
    said = {
        f"{' '.join(path)} {name}": text
        for path, command in leaves(root())
        for name, text in [("", command.help), *((each.name, getattr(each, "help", "")) for each in command.params)]
        if name != "help"
    }

    assert [what for what, text in said.items() if not (text or "").strip()] == []


@pytest.mark.parametrize("words", OTHER_WORDS)
def test_a_word_of_another_program_leads_to_ours(cli: Cli, words: str) -> None:
    """Which exists, with its flags."""
    said = cli(*words.split())

    assert (said.status, said.out) == (2, "")
    assert said.err.endswith(f"No such command '{words.rsplit(maxsplit=1)[-1]}'. hint: pyanamo {OTHER_WORDS[words]}\n")
    command, rest = find(OTHER_WORDS[words].split())
    with suppress(typer.Exit, typer.BadParameter):  # --help prints and is done, --watch may lack its table
        command.make_context("pyanamo", list(rest))


def test_words_that_people_try_are_known() -> None:
    """Of other queues and of the shell; none hides a command of ours."""
    assert {"rm", "rerun", "requeue", "kill", "ls", "tail", "submit"} <= OTHER_WORDS.keys()
    ours = {" ".join(path) for path, _ in leaves(root())}
    assert ours & OTHER_WORDS.keys() == set()


def test_a_typing_error_leads_to_the_nearest(cli: Cli) -> None:
    """As before."""
    assert "Did you mean 'status'" in cli("statsu").err
