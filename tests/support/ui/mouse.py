"""The life of a connector on the page: created, seen to land rows, paused, edited with an error and without, stopped, reset."""

import os

from browser import Page, browser, expect, settings, shot


def main():
    given = settings()
    base, topic, name, shots = given["url"], given["topic"], given["name"], given["shots"]
    with browser() as chromium:
        mine = Page(chromium.new_context(viewport={"width": 1280, "height": 900}), base)
        page = mine.page
        page.goto(f"{base}/ui/")
        page.get_by_role("link", name="New connector").click()
        expect(page.get_by_role("heading", name="New connector")).to_be_focused()
        page.locator("#class").select_option("io.landfall.azure.AzureDataLakeSink")
        page.get_by_label("Name", exact=True).fill(name)
        # What is missing is said beside its field.
        expect(page.locator("#errors-topics")).to_contain_text("Must configure one of topics")
        expect(page.locator("#field-topics")).to_have_attribute("aria-invalid", "true")
        page.locator("#field-topics").fill(topic)
        page.locator("[id='field-store.url']").fill(given["store"])
        for key, value in given["config"].items():
            field = page.locator(f"[id='field-{key}']")
            if not field.count():
                page.locator("#other-key").fill(key)
                page.locator("#other-value").fill(value)
                page.get_by_role("button", name="Add", exact=True).click()
                continue
            if not field.is_visible():
                field.locator("xpath=ancestor::details/summary").click()
            if field.evaluate("field => field.tagName") == "SELECT":
                field.select_option(value)
            else:
                field.fill(value)
        expect(page.locator("#summary")).to_contain_text("finds nothing wrong")
        shot(page, shots, "form")
        page.get_by_role("button", name="Create").click()

        # Rows land, and can be looked at.
        expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()
        expect(page.locator("#tasks .state")).to_have_text("▶ Running")
        page.locator("#files button").first.click()
        expect(page.locator("#rows tbody tr").first).to_contain_text(given["cell"])
        page.get_by_text("Schema:").click()
        shot(page, shots, "preview")
        page.keyboard.press("Escape")
        expect(page.locator("dialog")).to_have_count(0)
        expect(page.locator("#offsets tbody tr")).to_have_count(given["partitions"])

        page.get_by_role("button", name="Pause").click()
        expect(page.locator("h1 + .state")).to_have_text("❚❚ Paused")
        page.get_by_role("button", name="Resume").click()
        expect(page.locator("h1 + .state")).to_have_text("▶ Running")

        # An error is said beside its field, and nothing is saved.
        page.get_by_role("link", name="Edit").click()
        size = page.locator("[id='field-flush.size']")
        size.fill("many")
        expect(page.locator("[id='errors-flush.size']")).to_contain_text("many")
        page.get_by_role("button", name="Save").click()
        expect(page.locator("#said")).to_contain_text("has errors")
        expect(size).to_be_focused()
        shot(page, shots, "error")
        # The same is seen as JSON, and mended there.
        page.get_by_role("button", name="As JSON").click()
        text = page.get_by_label("Configuration as JSON")
        assert "[hidden]" in text.input_value() and given["secret"] not in page.content(), "the secret is to be hidden"
        text.fill(text.input_value().replace('"many"', '"60"'))
        expect(page.locator("#summary")).to_contain_text("finds nothing wrong")
        page.get_by_role("button", name="Save").click()
        expect(page.locator("#config")).to_contain_text("60")
        expect(page.locator("#config tr", has_text="planted.password")).to_contain_text("a secret, not shown")
        expect(page.locator("#config tr", has_text="planted.placeholder")).to_contain_text("placeholder")

        # Offsets are reset of a stopped connector, by whoever types its name.
        reset = page.get_by_role("button", name="Reset offsets")
        expect(reset).to_be_disabled()
        page.get_by_role("button", name="Stop").click()
        page.get_by_role("dialog").get_by_role("button", name="Stop").click()
        expect(page.locator("h1 + .state")).to_have_text("■ Stopped")
        expect(reset).to_be_enabled()
        reset.click()
        dialog = page.get_by_role("dialog")
        go = dialog.get_by_role("button", name="Reset offsets")
        dialog.get_by_role("textbox").fill(name[:-1])
        expect(go).to_be_disabled()
        dialog.get_by_role("textbox").fill(name)
        go.click()
        expect(page.get_by_text("The group has none.")).to_be_visible()

        failed(mine, given, shots)
        mine.check()


def failed(mine, given, shots):
    """A task that has failed is started again; what its connector is called and why it failed is text, whatever it looks like."""
    page, name = mine.page, given["failed"]
    page.get_by_role("link", name="All connectors").click()
    row = page.locator("tr", has_text=name)
    expect(row.locator(".state")).to_have_text("✖ Failed")
    shot(page, shots, "overview")
    row.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    expect(page.locator(".trace")).to_contain_text(given["trace"])
    assert page.locator("img").count() == 0, "a text has become an element"
    shot(page, shots, "failed")
    os.remove(given["blocked"])
    page.locator("#tasks").get_by_role("button", name="Restart").click()
    expect(page.locator("#tasks .state")).to_have_text("▶ Running")
    # What the page asks of the connector meanwhile reaches the worker when it is gone.
    held = []
    page.route("**/ui/api/connectors/*/files", lambda route: held.append(route))
    with page.expect_request("**/ui/api/connectors/*/files"):
        page.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill(name)
    dialog.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="Connectors", exact=True)).to_be_visible()
    expect(page.locator("tr", has_text=name)).to_have_count(0)
    assert held, "the page asked for nothing"
    with page.expect_response("**/connectors?expand=*"):
        for route in held:
            route.continue_()
    page.unroute_all()


main()
