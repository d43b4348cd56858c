"""The options of `pyanamo import` that say what the file is, and the values that they make together."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from pyanamo_async import ItemTemplate, UsageError
from pyanamo_async.core.taskfile.lines import InvalidLine, Lines, to_text

_ARGS_DELIMITER = re.compile(r"\\t|[^\w\r\n]{1,3}")
_NOT_DELIMITERS = {"-", "--"}  # standard input, and the end of the options

FileArgument = Annotated[str | None, typer.Argument(metavar="FILE", help="The task file; - is standard input.")]
FileOption = Annotated[
    str | None, typer.Option("-i", "--input", metavar="FILE", help="The task file, instead of the argument.")
]
Delimiter = Annotated[
    str,
    typer.Option(
        "-d", "--delimiter", metavar="TEXT", help=r"What separates fields; \t is a tab. [default: found in the header]"
    ),
]
Nested = Annotated[
    str | None,
    typer.Option(
        "-n",
        "--nested",
        metavar="[DELIMITER]",
        help="Every row has TaskArgs, and one task for each argument. A comma separates arguments, or DELIMITER: up to "
        r"three characters of punctuation or blanks, or \t.",
    ),
]
NoHeader = Annotated[
    bool, typer.Option("--no-header", help="The first line is an item; the columns are in the usual order.")
]
LinesOption = Annotated[
    bool,
    typer.Option(
        "--lines",
        help="Each line is a command, and # begins a comment. A file without a header is read like this, too.",
    ),
]
Script = Annotated[
    str,
    typer.Option(
        "--script",
        metavar="TEXT",
        help="Each row of a table with any columns is an item with this script; {column} becomes its value, quoted.",
    ),
]
ItemId = Annotated[str, typer.Option("--id", metavar="TEXT", help="With --script: the itemID, as '{sample}-{lane}'.")]
Sample = Annotated[
    str, typer.Option("--sample", metavar="TEXT", help="With --script: the TaskID. [default: the itemID]")
]
Args = Annotated[
    str,
    typer.Option(
        "--args",
        metavar="A,B,...",
        help="With --script: one task for each of these arguments, which is appended to the script.",
    ),
]
ArgsFrom = Annotated[
    typer.FileBinaryRead | None,
    typer.Option("--args-from", metavar="FILE", help="Like --args, with one argument a line."),
]
Split = Annotated[
    int | None,
    typer.Option(
        "--split", metavar="N", min=1, help="Split an item with more than N tasks into several: ID-1, ID-2, and so on."
    ),
]


def is_args_delimiter(text: str) -> bool:
    """Return whether a word behind `--nested` is a delimiter, and not the next argument of the command."""
    return _ARGS_DELIMITER.fullmatch(text) is not None and text not in _NOT_DELIMITERS


def one_file(argument: str | None, option: str | None) -> str:
    """Return the task file, which is named by either the argument or the option.

    Raises:
        UsageError: it is named by neither or by both.
    """
    if argument is not None and option is not None:
        raise UsageError("FILE and --input both name a task file", hint="leave out one")
    file = argument if option is None else option
    if file is None:
        raise UsageError("no task file is named", hint="give FILE, or - for standard input")
    return file


def tab(text: str) -> str:
    r"""Return a delimiter with a tab for `\t`, which a shell passes on as two characters."""
    return text.replace("\\t", "\t")


def template(
    script: str, item_id: str, sample: str, args: str, args_from: typer.FileBinaryRead | None
) -> ItemTemplate | None:
    """Return the template that options describe; None without any.

    Raises:
        UsageError: options are missing, or contradict each other.
    """
    if not script:
        for name, given in (("--id", item_id), ("--sample", sample), ("--args", args), ("--args-from", args_from)):
            if given:
                raise UsageError(f"{name} has no effect without --script", hint="give the script, with {column} in it")
        return None
    if not item_id:
        raise UsageError("--script needs --id", hint="name the items by columns, as in --id '{sample}-{lane}'")
    if args and args_from:
        raise UsageError("--args and --args-from contradict each other", hint="leave out one")
    words = _lines(args_from) if args_from else [arg.strip() for arg in args.split(",")] if args else []
    return ItemTemplate(script=script, id=item_id, sample=sample, args=tuple(words))


def _lines(file: typer.FileBinaryRead) -> list[str]:
    lines = Lines(file)
    try:
        found = [to_text(line).strip() for line in lines.records()]
    except InvalidLine as error:
        raise UsageError(f"{file.name}, line {lines.number}: {error}", hint="write one argument a line") from None
    if not found:
        raise UsageError(f"{file.name} has no arguments", hint="write one a line")
    return found
