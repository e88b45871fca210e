"""Every ability of the pages once, in a real browser; skipped where no Chromium is installed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from made_index import movie_id, reviewer_id, write_index
from served import served

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NARROW: Any = {"width": 380, "height": 700}
HOSTILE, UNTITLED = 3, 4
TITLE = "<script>alert(1)</script>"
SOMEONE, OTHER = reviewer_id(7), reviewer_id(9)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("browser") / "index"
    write_index(directory, titles={HOSTILE: TITLE, UNTITLED: None})
    with served(directory) as opened:
        yield opened


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Page]:
    context = browser.new_context(base_url=address, viewport={"width": 1000, "height": 800})
    opened = context.new_page()
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("dialog", lambda dialog: faults.append(dialog.message))
    opened.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    yield opened
    context.close()
    assert faults == []


def movies_on(page: Page) -> list[str]:
    return [str(link.get_attribute("href")) for link in page.locator("tbody tr td:nth-child(2) a").all()]


def test_a_movie_is_found_as_one_types_and_the_way_back_works(page: Page) -> None:
    page.goto("/")
    page.locator("#find").press_sequentially("film", delay=10)
    page.wait_for_url("**/search?title=film")
    page.locator("main li a").first.click()
    page.wait_for_url("**/movie/**")
    page.go_back()
    assert page.locator("h1").inner_text().startswith("Movies like")
    page.reload()
    assert page.locator("h1").inner_text().startswith("Movies like")


def test_a_movie_shows_who_rates_it_and_what_is_similar(page: Page) -> None:
    page.goto(f"/movie/{movie_id(3)}")
    assert page.get_by_text("Reviews by stars").is_visible()
    assert len(movies_on(page)) == 10
    page.locator("tbody tr td:nth-child(2) a").first.click()
    assert page.url.rsplit("/", 1)[-1] != movie_id(3)


def test_a_reviewer_is_shown_and_the_list_obeys_a_condition_and_sliders(page: Page) -> None:
    page.goto("/")
    page.locator("#who").fill(SOMEONE)
    page.get_by_role("button", name="Show").click()
    page.wait_for_url(f"**/reviewer/{SOMEONE}")
    plain = movies_on(page)[:10]
    page.get_by_label("Variety").fill("1")
    page.wait_for_url("**diversity=1**")
    page.wait_for_selector("p:has-text('Variety took')")
    assert movies_on(page)[:10] != plain
    page.go_back()
    page.wait_for_selector("p:has-text('Variety took')", state="detached")
    assert movies_on(page)[:10] == plain
    page.get_by_label("Condition in SQL").fill("price <")
    page.get_by_role("button", name="List").click()
    assert "is not a condition in SQL" in page.get_by_role("alert").inner_text()


def test_someone_new_rates_movies_and_the_list_changes_at_once(page: Page) -> None:
    page.goto("/newcomer")
    before = movies_on(page)
    page.locator("a.star").last.click()
    page.wait_for_selector("#ratings select")
    assert movies_on(page) != before
    changed = movies_on(page)
    page.locator("#ratings select").select_option(index=0)
    page.wait_for_url("**%3D1**")
    page.wait_for_selector("#ratings option[selected]:has-text('1 stars')", state="attached")
    assert movies_on(page) != changed
    page.reload()
    assert page.locator("#ratings select").count() == 1
    page.go_back()
    page.wait_for_selector("#ratings option[selected]:has-text('5 stars')", state="attached")
    assert movies_on(page) == changed
    page.get_by_label("Add a movie by its title").fill("Film 12")
    page.get_by_role("button", name="Show the list").click()
    page.wait_for_url("**add=**")
    assert page.locator("#ratings select").count() == 2


def test_two_reviewers_are_compared(page: Page) -> None:
    page.goto("/together")
    fields = page.get_by_label("Reviewer", exact=False)
    page.locator("main input[name=reviewer]").nth(0).fill(SOMEONE)
    page.locator("main input[name=reviewer]").nth(1).fill(OTHER)
    page.get_by_role("button", name="Compare").click()
    page.wait_for_selector("text=Movies for all of them")
    assert fields.count() >= 3


def test_the_map_zooms_and_a_point_leads_to_its_movie(page: Page) -> None:
    page.goto("/map")
    before = page.locator("#map").get_attribute("viewBox")
    page.get_by_role("button", name="Zoom in").click()
    page.locator("#map").focus()
    page.keyboard.press("+")
    page.keyboard.press("ArrowLeft")
    assert page.locator("#map").get_attribute("viewBox") != before
    page.get_by_role("button", name="Zoom out").click()
    place = page.locator("#map").bounding_box()
    assert place is not None
    zoomed = page.locator("#map").get_attribute("viewBox")
    page.mouse.move(place["x"] + 200, place["y"] + 200)
    page.mouse.wheel(0, -300)
    page.wait_for_function(
        "before => document.querySelector('#map').getAttribute('viewBox') !== before", arg=zoomed
    )
    zoomed = page.locator("#map").get_attribute("viewBox")
    page.mouse.down()
    page.mouse.move(place["x"] + 260, place["y"] + 240, steps=3)
    page.mouse.up()
    assert page.locator("#map").get_attribute("viewBox") != zoomed
    assert page.url.endswith("/map")
    page.locator("#map a").first.dispatch_event("click")
    page.wait_for_url("**/movie/**")


def test_the_index_says_what_it_is(page: Page) -> None:
    page.goto("/about")
    assert "build-" in page.locator("main").inner_text()


def test_a_title_of_script_is_shown_as_text(page: Page) -> None:
    for path in (
        f"/movie/{movie_id(HOSTILE)}",
        f"/newcomer?rate={movie_id(HOSTILE)}%3D5",
        "/search?title=script",
    ):
        page.goto(path)
        assert TITLE in page.locator("main").inner_text(), path
    page.locator("#find").press_sequentially(f'"{TITLE}', delay=5)
    page.wait_for_selector("h1:has-text('alert(1)')")


def test_a_movie_without_a_title_is_called_by_its_id(page: Page) -> None:
    page.goto(f"/movie/{movie_id(UNTITLED)}")
    assert page.locator("h1").inner_text() == movie_id(UNTITLED)
    assert "None" not in page.locator("body").inner_text()


def test_the_pages_work_without_javascript(browser: Any, address: str) -> None:
    context = browser.new_context(base_url=address, java_script_enabled=False)
    page = context.new_page()
    page.goto("/")
    page.locator("#find").fill("film")
    page.get_by_role("button", name="Find").click()
    page.locator("main li a").first.click()
    page.get_by_role("link", name="Be someone new who likes it").click()
    assert page.locator("#ratings select").count() == 1
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_screen_needs_no_sideways_scrolling(browser: Any, address: str, scheme: str) -> None:
    context = browser.new_context(
        base_url=address, viewport={"width": 380, "height": 700}, color_scheme=scheme
    )
    page = context.new_page()
    for path in ("/", f"/reviewer/{SOMEONE}", f"/movie/{movie_id(3)}", "/map"):
        page.goto(path)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= 380, path
    context.close()


def test_the_keyboard_reaches_the_content(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#content"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Any, address: str, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    options = {"resultTypes": ["violations"]}
    if scheme == "dark":  # Only colours differ.
        options["runOnly"] = ["color-contrast"]
    context = browser.new_context(base_url=address, bypass_csp=True, color_scheme=scheme)
    page = context.new_page()
    found = {}
    for path in (
        *("/", "/search?title=film", f"/movie/{movie_id(3)}", f"/reviewer/{SOMEONE}"),
        *(f"/newcomer?rate={movie_id(3)}%3D5", f"/together?reviewer={SOMEONE}&reviewer={OTHER}"),
        *("/map", "/about"),
    ):
        page.goto(path)
        violations = axe.run(page, options=options).response["violations"]
        found |= {
            f"{path} {one['id']}": one["nodes"][0]["html"]
            for one in violations
            if one["impact"] in ("serious", "critical")
        }
    context.close()
    assert found == {}
