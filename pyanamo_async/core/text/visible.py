"""Text from outside as a person may see it: nothing in it controls a terminal, and nothing forges a line.

Ids, samples, reasons, scripts, output, names of workers and files, what services say: anybody may have written them.
"""

from __future__ import annotations

PICTURES = {code: 0x2400 + code for code in range(32) if chr(code) not in "\n\t"} | {0x7F: 0x2421}


def visible(text: str) -> str:
    """Make control and other unprintable characters visible; line ends and tabs stay."""
    if text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return "".join(
        each if each.isprintable() or each in "\n\t" else _escaped(each) for each in text.translate(PICTURES)
    )


def one_line(text: str) -> str:
    """Make text visible in one line; tabs stay."""
    return visible(text.replace("\r\n", " ").replace("\n", " "))


def field(text: str) -> str:
    """Make text visible as one field of a tab-separated line."""
    return one_line(text.replace("\t", " "))


def visible_json(data: bytes) -> bytes:
    """Escape what is unprintable in a JSON text, whose strings stay exactly what they are."""
    if data.isascii() and b"\x7f" not in data:
        return data
    return "".join(
        each if each.isprintable() or each == "\n" else _escaped_in_json(each) for each in data.decode()
    ).encode()


def _escaped(character: str) -> str:
    """Return an escape for a character without a picture: C1 controls, and those that turn the direction of a line."""
    return character.encode("unicode_escape").decode()


def _escaped_in_json(character: str) -> str:
    """Return the escape of a character, or of the two surrogates that JSON has for it."""
    units = character.encode("utf-16-be").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))
