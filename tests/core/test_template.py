"""Templates of scripts: a shell reads the values, whatever they are; everything else stays as it was written."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyanamo_async.core.taskfile.lines import InvalidLine
from pyanamo_async.core.taskfile.template import Placeholder, fill, parse_script, parse_text, quote

COLUMNS = ("sample", "fastq 1", "n", "a")
VALUE = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30) | st.sampled_from(
    ["2", "", "if", "a=b", "~", "-n", "!x", "*", "{a,b}", "$(id)", "`id`", "'", '"', "\\", "a'b\"c", "\n", "#", "x\ty "]
)
PLACES = {
    "printf '%s\\0' {a}": "*",
    'printf "%s\\0" x{a}y': "x*y",
    "printf '%s\\0' {a}>out; cat out": "*",
    "printf '%s\\0' \"$(printf '%s' {a}; echo .)\"": "*.",
    "f() { printf '%s\\0' --opt={a}; }; f": "--opt=*",
    "case x in x) printf '%s\\0' {a};; esac": "*",
    "test x = x && [ x = x ] && printf '%s\\0' {a}": "*",
    "x={a}; printf '%s\\0' \"$x\"": "*",
}
"""Where a word may stand, and the word that the shell reads, with a star for the value."""


def script(text: str, columns: Sequence[str] = COLUMNS, /, **values: str) -> str:
    return fill(parse_script(text, columns, what="script"), values)


def literal(text: str) -> bool:
    return parse_script(text, COLUMNS, what="script") == (text,)


@settings(max_examples=60)
@given(VALUE)
@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_a_shell_reads_a_value_as_it_is(tmp_path_factory: pytest.TempPathFactory, shell: str, value: str) -> None:
    """As one word, wherever a word may stand, for any text."""
    text = script("\n".join(PLACES), a=value)
    done = subprocess.run([shell, "-c", text], cwd=tmp_path_factory.getbasetemp(), capture_output=True, check=True)

    assert done.stderr == b""
    assert done.stdout.decode().split("\0")[:-1] == [value.join(word.split("*")) for word in PLACES.values()]


@pytest.mark.parametrize(
    "text",
    [
        "bash call.sh ${sample} ${#a} ${a:-x} $((1 + 2))",
        "awk '{print $1}' x | awk '{print}' | awk '{a[$1]++} END {for (k in a) print k}'",
        "docker inspect -f '{{.State}}' {{sample}} {{{a}}}",
        "echo {1..3} {a..z} {x,y} {} x{}y; { echo a; }; f() { :; }",
        "find . -name '*.gz' -exec gzip -t {} \\;",
        "echo \\{sample} '{nosuch}' $'it\\ns' # it's {nothing}",
        'x="$(cat a)"; echo "${x%.gz}" "`date`"; cat <<< "$x"',
        "[ -f x ] && [[ $a == [a-z]* ]]; ls [0-9]{3}; x[1]=2; echo ${x[1]}",
        "diff <(zcat a) <(zcat b); (cd x && make); case $x in a) echo b;; esac",
    ],
)
def test_braces_of_shells_and_awk_stay_as_they_are(text: str) -> None:
    """Only `{column}` is a placeholder."""
    assert literal(text)


def test_a_value_goes_in_quoted_or_raw() -> None:
    """Raw where the person says so, also between quotes; names may hold blanks."""
    assert script("x {fastq 1} {n} {sample:raw}", **{"fastq 1": "a b", "n": "2", "sample": "a b"}) == "x 'a b' '2' a b"
    assert script('awk \'$1 == "{a:raw}"\' "{a:raw}"', a="x y") == 'awk \'$1 == "x y"\' "x y"'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('echo "{sample}"', "{sample} in `script` stands inside quotes"),
        ("echo '{sample}'", "stands inside single quotes"),
        ("echo $'{sample}'", "stands inside single quotes"),
        ('echo "$(echo "{sample}")"', "stands inside quotes"),
        ("echo `basename {sample}`", "stands inside backticks"),
        ("echo `(basename {sample})`", "stands inside backticks"),
        ("x # {sample}", "stands inside a comment"),
        ("echo $(( {n} + 1 ))", "stands inside $((...))"),
        ("echo ${x:-{sample}}", "cannot be followed beyond '${'"),
        ("cat <<END\n{sample}\nEND", "cannot be followed beyond '<<'"),
        ("echo $'it\\'s' {sample}", "cannot be followed beyond '$''"),
        ("(( {n} > 1 ))", "cannot be followed beyond '(('"),
        ("echo $[{n}]", "cannot be followed beyond '$['"),
        ("x[{n}]=1", "cannot be followed beyond '['"),
        ("x[ {n} ]=1", "cannot be followed beyond '['"),
        ("x=([{n}]=1)", "cannot be followed beyond '['"),
        ('echo "$(case x in a) echo "{sample}";; esac)"', "cannot be followed beyond 'case'"),
        (
            "echo {smaple}",
            "{smaple} in `script` names no column; did you mean sample? the columns are sample, fastq 1, n, a",
        ),
        ("echo {smaple:raw}", "names no column"),
        ("echo {fastq (R2)}", "names no column"),
        ("echo {größe.mm}", "names no column"),
        ('echo "{smaple}"', "names no column"),
        ("echo 'x", "is not closed"),
        ('echo "x', "is not closed"),
        ("echo $(x", "is not closed"),
    ],
)
def test_a_placeholder_that_no_quoting_can_make_safe_is_refused(text: str, says: str) -> None:
    """And so are unknown names."""
    with pytest.raises(InvalidLine, match=re.escape(says)):
        parse_script(text, COLUMNS, what="script")


def test_texts_for_no_shell_are_filled_as_they_are() -> None:
    """An id is no script: nothing is quoted, and only unknown words are refused."""
    parts = parse_text("{sample}-{n:raw} {{a}} ${a} {x,y}", COLUMNS, what="id")

    assert fill(parts, {"sample": "S 1", "n": "2"}) == "S 1-2 {{a}} ${a} {x,y}"
    assert Placeholder("sample", quoted=False) in parts
    with pytest.raises(InvalidLine, match="names no column"):
        parse_text("{lane}", COLUMNS, what="id")


@given(st.text(st.sampled_from("ab{}$'\"`\\()<># \n;:*"), max_size=40))
def test_whatever_a_template_holds_it_is_parsed_or_refused(text: str) -> None:
    """And what holds no column comes out as it went in."""
    try:
        parts = parse_script(text, ["none"], what="script")
    except InvalidLine:
        return

    assert fill(parts, {}) == text


@given(VALUE)
def test_a_word_is_quoted_so_that_it_stays_readable(value: str) -> None:
    """Plain names and paths are left alone."""
    assert quote("reads/S1_L001_R1.fastq.gz") == "reads/S1_L001_R1.fastq.gz"
    assert quote(value) == value or quote(value).startswith(("'", '"'))
