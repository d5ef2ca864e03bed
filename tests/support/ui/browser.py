"""A browser on the web page of a worker, which sees to it that the page stays within its bounds."""

import contextlib
import json
import os
import shutil
import sys
from urllib.parse import urlsplit

from playwright.sync_api import expect, sync_playwright

# The most that a worker takes for what it is asked.
PATIENCE = 30_000


class Page:
    """A page, and what was wrong while it was open: requests to others, errors on the console, dialogs of scripts."""

    def __init__(self, context, base, expected=()):
        self.base, self.expected, self.wrong = base, expected, []
        self.page = context.new_page()
        self.page.set_default_timeout(PATIENCE)
        if files := os.environ.get("UI_FILES"):
            self.page.route("**/ui/*.*", lambda route: route.fulfill(path=os.path.join(files, urlsplit(route.request.url).path.split("/")[-1])))
        self.page.on("request", self._request)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.wrong.append(f"an error: {error}"))
        self.page.on("dialog", self._dialog)

    def _request(self, request):
        if urlsplit(request.url)[:2] != urlsplit(self.base)[:2]:
            self.wrong.append(f"a request to {request.url}")
        if request.method != "GET" and request.headers.get("content-type") != "application/json":
            self.wrong.append(f"{request.method} {request.url} without a type of JSON")

    def _console(self, message):
        known = any(text in message.text for text in self.expected)
        if message.type in ("error", "warning") and not known:
            self.wrong.append(f"on the console: {message.text} ({message.location})")

    def _dialog(self, dialog):
        self.wrong.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def check(self):
        assert not self.wrong, "\n".join(self.wrong)

    def fits(self):
        """Nothing has to be scrolled sideways."""
        width, seen = self.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert width <= seen, f"{width} pixels wide where {seen} are seen, at {self.page.url}"

    def tab_to(self, selector, backwards=False):
        """Goes to an element by the keyboard alone."""
        for _ in range(300):
            if self.page.evaluate("selector => document.activeElement?.matches(selector) ?? false", selector):
                outline = self.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
                assert outline != "none", f"{selector} does not show that it has the focus"
                return
            self.page.keyboard.press("Shift+Tab" if backwards else "Tab")
        raise AssertionError(f"the keyboard does not lead to {selector}")


def settings():
    """What the test says: JSON as the only argument."""
    return json.loads(sys.argv[1])


@contextlib.contextmanager
def browser():
    with sync_playwright() as playwright:
        program = shutil.which("chromium")
        assert program, "chromium is missing: run `make setup`"
        # The sandbox needs rights that containers do not have.
        chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"])
        expect.set_options(timeout=PATIENCE)
        try:
            yield chromium
        finally:
            chromium.close()


def shot(page, folder, name):
    """A picture for people to look at, if a folder is given."""
    if folder:
        os.makedirs(folder, exist_ok=True)
        page.screenshot(path=os.path.join(folder, f"{name}.png"), full_page=True)
