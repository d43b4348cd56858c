"""Scripts that say what runs them, and shells with arguments."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyanamo_async.core.shell_command import END, shell_command

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=60) | st.sampled_from(
    [f"\n{END}\n", f"a\n{END}_\n{END}\n", "$x `y` \\\n", "'\"", "E\u0080", f"E{END}_\u00e9\na\u20ac\nb{END}\u00e9\n"]
)


def printed(text: str, shell: str) -> str:
    return subprocess.run([shell, "-c", text], capture_output=True, check=True).stdout.decode()


@settings(max_examples=40)
@given(TEXT)
@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_the_program_of_the_first_line_reads_the_script_as_it_is(shell: str, text: str) -> None:
    """Whatever stands in it: dash loses bytes of lines that begin as the end of a here-document."""
    script = f"#!/bin/cat\n{text}"

    assert printed(shell_command(script, [shell]).text, shell) == f"{script}\n"


@pytest.mark.parametrize(
    ("first", "words"),
    [
        ("#!/bin/echo", "/dev/fd/9"),
        ("#! /bin/echo  -x  y ", "-x  y /dev/fd/9"),
        ("#!/usr/bin/env -S echo 'a b' c", "a b c /dev/fd/9"),
        ("#!/bin/echo $HOME'", "$HOME' /dev/fd/9"),
    ],
)
def test_what_follows_the_program_is_one_argument(first: str, words: str) -> None:
    """As the kernel passes it on."""
    assert printed(shell_command(f"{first}\nrest", []).text, "sh") == f"{words}\n"


@settings(max_examples=40)
@given(TEXT)
def test_a_shell_with_arguments_gets_the_script_as_it_is(text: str) -> None:
    """Behind `-c`, as the shell without arguments does."""
    wanted = ["printf", "%s|%s|%s", "a b"]

    assert printed(shell_command(f" {text}", wanted).text, "sh") == f"a b|-c| {text}"


@pytest.mark.parametrize("script", ["", "true", "# !", " #!/bin/sh", "#!", "#!\n", "echo\n#!/bin/sh"])
def test_any_other_script_is_given_to_the_shell(script: str) -> None:
    """With its default, nothing is put around it."""
    command = shell_command(script, ["/bin/bash"])

    assert (command.text, command.needs_posix_shell) == (script, False)
