"""Pages as people see them: in a browser, on wide and narrow screens, in light and dark, by keyboard."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys

from provisioner.drift import report
from provisioner.model import Plan
from provisioner.render.as_html import plan_html
from provisioner.render.drift_documents import drift_html
from tests.support import plans
from tests.support.browser import Browser, missing, open_browser

pytestmark = pytest.mark.skipif(missing() is not None, reason=missing() or "")


def page_of(plan: Plan) -> str:
    return plan_html(plan, "specs/env.yaml", local=True)


PAGES = {
    "nothing": lambda: page_of(plans.nothing_to_do()),
    "everything": lambda: page_of(plans.something_of_everything()),
    "destroyed": lambda: page_of(plans.fifty_destroyed()),
    "many": lambda: page_of(plans.hundred_changes()),
    "drift": lambda: drift_html(report(plans.something_of_everything(), (), date(2027, 1, 31))),
}

# The text of a page that can be seen, each piece with its element, its colours and the boxes of its lines.
TEXTS = r"""
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const rgba = (text) => {
  const numbers = text.match(/[\d.]+/g).map(Number);
  return numbers.length > 3 ? numbers : [...numbers, 1];
};
const over = (front, back) =>
  front.slice(0, 3).map((value, at) => value * front[3] + back[at] * (1 - front[3]));
const backOf = (element) => {
  const layers = [];
  for (let part = element; part; part = part.parentElement) {
    const node = part.closest("svg") && part.matches("g.node") ? part.querySelector("rect") : part;
    const style = getComputedStyle(node);
    layers.push(rgba(node.tagName === "rect" ? style.fill : style.backgroundColor));
  }
  return layers.reverse().reduce((back, layer) => over(layer, back), [255, 255, 255]);
};
const luminance = (color) => {
  const [r, g, b] = color.slice(0, 3).map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const found = [];
while (walker.nextNode()) {
  const node = walker.currentNode, element = node.parentElement;
  if (!node.data.trim() || element.closest("script, style, title, .unseen, .skip, .search > span")) continue;
  if (!element.checkVisibility({visibilityProperty: true, contentVisibilityAuto: true})) continue;
  const range = document.createRange();
  range.selectNodeContents(node);
  const frame = element.closest(".graph, .diff")?.getBoundingClientRect();
  const isShown = (box) => !frame || (box.top >= frame.top && box.bottom <= frame.bottom);
  const boxes = [...range.getClientRects()].filter((box) => box.width > 1 && box.height > 1 && isShown(box));
  if (!boxes.length) continue;
  const style = getComputedStyle(element), isDrawn = Boolean(element.closest("svg"));
  const back = backOf(element), front = over(rgba(isDrawn ? style.fill : style.color), back);
  const [light, dark] = [luminance(front), luminance(back)].sort((one, other) => other - one);
  found.push({
    text: node.data.trim().slice(0, 60),
    contrast: (light + 0.05) / (dark + 0.05),
    isDrawn,
    boxes: boxes.map((box) => [box.left, box.top + scrollY, box.right, box.bottom + scrollY]),
  });
}
return found;
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with open_browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    written = {name: folder / f"{name}.html" for name in PAGES}
    for name, path in written.items():
        path.write_text(PAGES[name](), encoding="utf-8")
    return written


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", PAGES)
@pytest.mark.sampled
def test_all_of_it_can_be_read(
    name: str, width: int, scheme: str, browser: Browser, pages: dict[str, Path]
) -> None:
    browser.show(pages[name], width, scheme=scheme)
    assert browser.run("return document.documentElement.scrollWidth") <= width
    texts = browser.run(TEXTS)
    assert len(texts) > 10
    faint = {text["text"]: text["contrast"] for text in texts if text["contrast"] < 4.5}
    assert faint == {}
    outside = [text["text"] for text in texts if not text["isDrawn"] and not within(text, width)]
    assert outside == []
    assert overlapping(texts) == []
    assert browser.complaints() == []
    assert [url for url in browser.requests() if not url.startswith("file:")] == []


def within(text: dict[str, Any], width: int) -> bool:
    return all(left >= 0 and right <= width for left, _, right, _ in text["boxes"])


def overlapping(texts: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Texts of which a line lies on a line of another, by more than letters need."""
    lines = sorted((box[1], box, at) for at, text in enumerate(texts) for box in text["boxes"])
    found = []
    for index, (_, (left, top, right, bottom), at) in enumerate(lines):
        for other_top, (other_left, _, other_right, other_bottom), other in lines[index + 1 :]:
            if other_top >= bottom - 4:
                break
            is_beside = other_left >= right - 1 or other_right <= left + 1
            if at != other and not is_beside and min(bottom, other_bottom) - max(top, other_top) > 4:
                found.append((texts[at]["text"], texts[other]["text"]))
    return found


def focus(browser: Browser) -> str:
    """What has the focus, in a word or two."""
    told: str = browser.run(
        "const at = document.activeElement;"
        "return at.id || at.getAttribute('aria-label') || at.className || at.closest('details')?.id"
        " || at.tagName"
    )
    return told


def test_all_of_it_can_be_used_by_keyboard(browser: Browser, pages: dict[str, Path]) -> None:
    browser.show(pages["everything"])
    passed = []
    for _ in range(60):
        browser.type(Keys.TAB)
        passed.append(focus(browser))
        if passed[-1] == "BODY":
            break
    order = list(dict.fromkeys(passed))
    for earlier, later in (
        ("skip", "What uses what"),
        ("What uses what", "search"),
        ("search", "open-all"),
        ("open-all", "change-1"),
        ("change-1", "change-2"),
        ("change-2", "command"),
    ):
        assert order.index(earlier) < order.index(later), order
    assert "role/web: update" in order


def test_enter_and_space_fold_and_a_slash_searches(browser: Browser, pages: dict[str, Path]) -> None:
    browser.show(pages["everything"])
    is_open = "return document.getElementById('change-1').open"
    browser.run("document.querySelector('#change-1 > summary').focus()")
    before = browser.run(is_open)
    browser.type(Keys.ENTER)
    assert browser.run(is_open) is not before
    browser.type(Keys.SPACE)
    assert browser.run(is_open) is before
    browser.type("/")
    assert focus(browser) == "search"
    browser.type("passrole")
    assert shown(browser) == ["role/web"]
    assert browser.run("return document.getElementById('found').textContent").startswith("1 of ")
    browser.type(Keys.ESCAPE)
    assert len(shown(browser)) == browser.run("return document.querySelectorAll('.change').length")


def shown(browser: Browser) -> list[str]:
    """The addresses of the changes that can be seen."""
    found: list[str] = browser.run(
        "return [...document.querySelectorAll('.change')].filter((change) => change.checkVisibility())"
        ".map((change) => change.querySelector('.address').textContent)"
    )
    return found


def test_kinds_of_changes_can_be_hidden_and_all_opened_and_closed(
    browser: Browser, pages: dict[str, Path]
) -> None:
    browser.show(pages["everything"])
    browser.run("document.querySelector('.chip.update').click()")
    assert set(shown(browser)) == {
        "role/batch",
        "instance_profile/batch",
        "fleet/batch",
        "fleet/api",
        "fleet/gone",
        "fleet/web",
    }
    browser.run("document.querySelector('.chip.delete').click()")
    assert "fleet/gone" not in shown(browser)
    for button, number in (("close-all", 0), ("open-all", 10)):
        browser.run("document.getElementById(arguments[0]).click()", button)
        assert browser.run("return document.querySelectorAll('.change[open]').length") == number


def test_a_thing_in_the_drawing_leads_to_its_change(browser: Browser, pages: dict[str, Path]) -> None:
    browser.show(pages["everything"])
    browser.run("document.getElementById('close-all').click()")
    browser.run(
        "const link = document.querySelector('a[aria-label=\"fleet/api: replace\"]');"
        "link.dispatchEvent(new MouseEvent('click', {bubbles: true, cancelable: true}))"
    )
    opened = browser.run(
        "return [...document.querySelectorAll('.change[open] .address')]"
        ".map((address) => address.textContent)"
    )
    assert opened == ["fleet/api"]


def test_folded_and_printed_it_is_whole(browser: Browser, pages: dict[str, Path]) -> None:
    browser.show(pages["everything"], scheme="print")
    browser.run("document.querySelectorAll('details').forEach((details) => { details.open = false; })")
    hidden = browser.run(
        "return [...document.querySelectorAll('.body, .members')]"
        ".filter((part) => !part.checkVisibility()).length"
    )
    assert hidden == 0


def test_without_its_script_it_is_whole_as_well(
    browser: Browser, pages: dict[str, Path], tmp_path: Path
) -> None:
    # Scripts that are disabled in the browser stay so for a moment after they are enabled again.
    page, scripts = re.subn(r"(?s)<script\b.*?</script>", "", pages["everything"].read_text(encoding="utf-8"))
    assert scripts == 1
    alone = tmp_path / "alone.html"
    alone.write_text(page, encoding="utf-8")
    browser.show(alone)
    assert browser.run("return document.getElementById('tools').checkVisibility()") is False
    assert browser.run("return document.querySelectorAll('.change[open]').length") == 10


def test_a_hundred_changes_of_a_thousand_members_are_searched_at_once(
    browser: Browser, pages: dict[str, Path]
) -> None:
    browser.show(pages["many"])
    milliseconds = browser.run(
        "const search = document.getElementById('search'), start = performance.now();"
        "search.value = 'i-00000000000000123'; search.dispatchEvent(new Event('input'));"
        "document.body.getBoundingClientRect(); return performance.now() - start"
    )
    assert shown(browser) == ["fleet/worker-29"]
    assert milliseconds < 3000


def test_a_value_that_is_a_script_does_not_run(browser: Browser, tmp_path: Path) -> None:
    plan = plans.hundred_changes()
    hostile = "</title></style></script><script>document.title = 'run'</script><img src=x onerror=alert(1)>"
    page = tmp_path / "hostile.html"
    page.write_text(plan_html(Plan(hostile, hostile, hostile, plan.changes), hostile), encoding="utf-8")
    browser.show(page)
    assert browser.driver.title.startswith("</title>")
    assert browser.complaints() == []
    injected = page.read_text().replace("</body>", "<script>document.title = 'run'</script></body>")
    page.write_text(injected)
    browser.show(page)
    assert browser.driver.title.startswith("</title>")
    assert any("Content Security Policy" in complaint for complaint in browser.complaints())
