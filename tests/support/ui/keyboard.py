"""The main path by the keyboard alone; then every view in both themes, on a desk and on a phone; and what a reader sees."""

import json

from browser import Page, browser, expect, settings, shot


def walk(mine, given):
    page, keys, name = mine.page, mine.page.keyboard, given["name"]

    def press(selector, key="Enter"):
        mine.tab_to(selector)
        keys.press(key)

    def typed(selector, text):
        mine.tab_to(selector)
        keys.type(text)

    page.goto(f"{given['url']}/ui/")
    expect(page.get_by_role("heading", name="Connectors", exact=True)).to_be_visible()
    keys.press("Tab")
    expect(page.locator("#skip")).to_be_focused()
    press("a[href='#/new']")
    expect(page.get_by_role("heading", name="New connector")).to_be_focused()
    typed("#field-name", name)
    mine.tab_to("#class")
    keys.type("FileStreamSink")
    expect(page.locator("#field-topics")).to_be_visible()
    typed("#field-topics", given["topic"])
    mine.tab_to("#field-file")
    keys.type(given["file"])
    expect(page.locator("#summary")).to_contain_text("finds nothing wrong")
    press("button[type=submit]")
    expect(page.locator("#tasks .state")).to_have_text("▶ Running")

    press("[data-key=Pause]")
    expect(page.locator("h1 + .state")).to_have_text("❚❚ Paused")
    press("[data-key=Resume]")
    expect(page.locator("h1 + .state")).to_have_text("▶ Running")
    press("[data-key=Stop]")
    expect(page.get_by_role("dialog").get_by_role("button", name="Cancel")).to_be_focused()
    keys.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator("[data-key=Stop]")).to_be_focused()
    keys.press("Enter")
    press("dialog .danger")
    expect(page.locator("h1 + .state")).to_have_text("■ Stopped")
    press("[data-key=Delete]")
    expect(page.locator("#typed")).to_be_focused()
    keys.type(name)
    keys.press("Enter")
    expect(page.get_by_role("heading", name="Connectors", exact=True)).to_be_visible()


def looks(chromium, given):
    """Every view, in both themes and both widths."""
    base, name = given["url"], given["shown"]
    for theme in ("light", "dark"):
        for width in (1280, 390):
            context = chromium.new_context(viewport={"width": width, "height": 844}, color_scheme=theme)
            mine = Page(context, base)
            page = mine.page
            for view, hash, seen in (
                ("overview", "#/", "table.list"),
                ("connector", f"#/connectors/{name}", "#config"),
                ("edit", f"#/connectors/{name}/edit", "fieldset"),
            ):
                page.goto(f"{base}/ui/{hash}")
                expect(page.locator(seen).first).to_be_visible()
                mine.fits()
                shot(page, given["shots"], f"{view}-{theme}-{width}")
            back = page.evaluate("getComputedStyle(document.body).backgroundColor")
            light = sum(int(part) for part in back[4:-1].split(",")) > 384
            assert light == (theme == "light"), f"{theme}: {back}"
            mine.check()
            context.close()


def reader(chromium, given):
    """Nothing that would be refused is offered."""
    mine = Page(chromium.new_context(), given["url"])
    page = mine.page

    def me(route):
        answer = route.fetch()
        route.fulfill(response=answer, body=json.dumps(answer.json() | {"role": "reader"}))

    page.route("**/ui/api/me", me)
    page.goto(f"{given['url']}/ui/#/connectors/{given['shown']}")
    expect(page.locator("#config")).to_be_visible()
    assert page.locator("button:not(#skip)").count() == 0, page.locator("button:not(#skip)").all_inner_texts()
    assert page.get_by_role("link", name="Edit").count() == 0
    page.get_by_role("link", name="All connectors").click()
    expect(page.locator("table.list")).to_be_visible()
    assert page.get_by_role("link", name="New connector").count() == 0
    mine.check()


def token(chromium, given):
    """A token that is pasted is sent with each request, and kept nowhere."""
    mine = Page(chromium.new_context(), given["url"], expected=["401"])
    page = mine.page
    refused = {"status": 401, "headers": {"www-authenticate": 'Bearer realm="Kafka Connect"', "content-type": "application/json"}}
    body = '{"error_code": 401, "message": "User cannot access the resource."}'

    def asked(route):
        if route.request.headers.get("authorization") == "Bearer t0ken":
            route.continue_()
        else:
            route.fulfill(body=body, **refused)

    for path in ("**/ui/api/**", "**/connectors**", given["url"] + "/"):
        page.route(path, asked)
    page.goto(f"{given['url']}/ui/")
    page.get_by_label("Bearer token").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Bearer token")).to_have_value("")
    page.get_by_label("Bearer token").fill("t0ken")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("table.list")).to_be_visible()
    kept = page.evaluate("[document.cookie, localStorage.length, sessionStorage.length, location.href.includes('t0ken')]")
    assert kept == ["", 0, 0, False], kept
    page.reload()
    expect(page.get_by_label("Bearer token")).to_be_visible()
    mine.check()


def main():
    given = settings()
    with browser() as chromium:
        mine = Page(chromium.new_context(viewport={"width": 1100, "height": 800}), given["url"])
        walk(mine, given)
        mine.check()
        looks(chromium, given)
        reader(chromium, given)
        token(chromium, given)


main()
