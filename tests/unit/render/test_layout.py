"""Lines are broken where they may be, and cut only where they must be."""

from provisioner.render.layout import Line, Piece, cells, flow, line, words


def plain(lines: list[Line]) -> list[str]:
    return ["".join(piece.text for piece in pieces) for pieces in lines]


def test_items_go_side_by_side_while_there_is_room() -> None:
    items = [line("aaaa"), line("bbbb"), line("cccc")]
    assert plain(flow(items, 10)) == ["aaaa  bbbb", "cccc"]
    assert plain(flow(items, 9)) == ["aaaa", "bbbb", "cccc"]


def test_further_lines_are_indented() -> None:
    assert plain(flow(words("one two three"), 12, line("name"), 6, gap=" ")) == [
        "name  one",
        "      two",
        "      three",
    ]


def test_an_item_without_room_behind_a_long_start_gets_the_next_line() -> None:
    assert plain(flow([line("abcdefgh")], 14, line("long start "), 2)) == ["long start ", "  abcdefgh"]


def test_what_is_wider_than_a_line_is_cut() -> None:
    assert plain(flow([line("0123456789abcdefghij")], 12, indent=2)) == ["  0123456789", "  abcdefghij"]


def test_pieces_keep_their_styles_when_they_are_cut() -> None:
    item = (Piece("01234567", "old"), Piece("abcdefgh", "new"))
    assert flow([item], 12) == [
        (Piece("01234567", "old"), Piece("abcd", "new")),
        (Piece("efgh", "new"),),
    ]


def test_wide_and_combining_characters_count_as_a_terminal_shows_them() -> None:
    assert cells("北京") == 4
    assert cells("e\N{COMBINING ACUTE ACCENT}") == 1
    assert plain(flow([line("北京"), line("上海")], 9)) == ["北京", "上海"]
