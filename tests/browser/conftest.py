from __future__ import annotations

import pytest

from tests.browser.headless_chromium import Browser

READY = "!document.querySelector('[data-browser]').hidden"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def show(browser, tmp_path):
    """Open a page and wait until its scripts are done."""

    def show_page(html, **options):
        path = tmp_path / "page.html"
        path.write_text(html, encoding="utf-8")
        seconds = browser.open(path, **options)
        if "data-browser hidden" in html:
            browser.wait_for(READY)
        return seconds

    return show_page
