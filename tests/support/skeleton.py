"""What a piece of HTML is made of: its tags, and its text inside and outside of code."""

from __future__ import annotations

from collections.abc import Collection
from html.parser import HTMLParser

_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


class Skeleton(HTMLParser):
    """Read with `feed`; raises AssertionError for a tag that is closed and was not opened last."""

    def __init__(self, but: Collection[str] = ()) -> None:
        super().__init__(convert_charrefs=True)
        self._but = but
        self._opened: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.comments: list[str] = []
        self.code = ""
        self.prose = ""
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in _VOID:
            self._opened.append(tag)
        if tag not in self._but:
            self.tags.append(f"<{tag}>")

    def handle_endtag(self, tag: str) -> None:
        assert self._opened.pop() == tag
        if tag not in self._but:
            self.tags.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if {"style", "script"}.isdisjoint(self._opened):
            self.text += data
            if {"code", "pre"}.isdisjoint(self._opened):
                self.prose += data
            else:
                self.code += data

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def close(self) -> None:
        super().close()
        assert self._opened == []


def skeleton_of(html: str, but: Collection[str] = ()) -> Skeleton:
    """Read all of it; `tags` are those that are not in `but`."""
    read = Skeleton(but)
    read.feed(html)
    read.close()
    return read
