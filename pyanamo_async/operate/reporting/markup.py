"""Pieces of HTML, in which text from outside stays text: nothing but these functions puts text into the page."""

from __future__ import annotations

import html
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256

import orjson

from pyanamo_async.core.text.visible import field

Cell = str | int


def legend(colours: Mapping[str, str] | Sequence[tuple[str, str]]) -> str:
    """Return names with their colours."""
    pairs = colours.items() if isinstance(colours, Mapping) else colours
    entries = (
        f'<li><svg viewBox="0 0 1 1" aria-hidden="true"><rect width="1" height="1" fill="{colour}"></rect></svg> '
        f"{text(name)}</li>"
        for name, colour in pairs
    )
    return f'<ul class="legend">{"".join(entries)}</ul>\n'


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Return a table; what is in its first column is text, and in others figures."""
    kinds = ["long" if column == 0 or name == "item" else "number" for column, name in enumerate(head)]
    names = (f'<th scope="col" class="{kind}">{text(name)}</th>' for kind, name in zip(kinds, head, strict=True))
    lines = (
        "<tr>"
        + "".join(f'<td class="{kind}">{text(_shown(cell))}</td>' for kind, cell in zip(kinds, row, strict=True))
        + "</tr>"
        for row in rows
    )
    said = f"<caption>{text(caption)}</caption>" if caption else ""
    return (
        f'<div class="scroll"><table>{said}<thead><tr>{"".join(names)}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>\n"
    )


def _shown(cell: Cell) -> str:
    return f"{cell:,}" if isinstance(cell, int) else cell


def text(text: str) -> str:
    """Escape text for HTML, in attributes too; nothing in it turns the direction of a line."""
    return html.escape(field(text))


def json_text(value: object) -> str:
    """Return JSON that ends no script and begins no comment."""
    data = orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS).decode()
    for character in "<>&\u2028\u2029":
        data = data.replace(character, f"\\u{ord(character):04x}")
    return data


def hash_of(script: str) -> str:
    """Return the source by which a content security policy permits a script."""
    return f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'"
