"""Tests of the page of the API: it carries out an operation, and loads from this server alone."""

from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import watched
from tests.browser.looks import serious_findings
from tests.support.server import Server


def test_the_page_of_the_api_lists_operations_and_carries_one_out(
    page: Page, server: Server
) -> None:
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(server.url)
    page.get_by_role("link", name="API").click()
    expect(page.get_by_role("heading", name="API", exact=True)).to_be_visible()
    assert not any("swagger" in url for url in requests)  # It comes with the first operation.
    page.get_by_role("link", name="GET /healthz").click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    expect(page.locator(".live-responses-table .response-col_status").last).to_contain_text("200")
    assert all(url.startswith((server.url, "data:", "blob:")) for url in requests)


def test_without_swagger_ui_the_page_of_the_api_keeps_its_list(
    browser: Browser, server: Server
) -> None:
    with watched(browser, "without-swagger", expected="net::ERR_FAILED") as page:
        page.route("**/*swagger*.js", lambda route: route.abort())
        page.goto(f"{server.url}/docs#/api/healthz")
        expect(page.get_by_role("alert")).to_contain_text("Operations cannot be opened: ")
        expect(page.get_by_role("link", name="GET /healthz")).to_be_visible()


MARKUP_OF_SWAGGER = " nested-interactive: "
"""A rule of axe-core that Swagger UI breaks: an operation's row is a button with buttons."""
COLOURS_OF_SWAGGER = " color-contrast: "
"""Its light colours are too pale, such as white on green; the dark ones are not."""

EXAMPLE_OF_SWAGGER = ".body-param__example"
"""It scrolls, by keys too: browsers let such parts have the focus, which axe does not know."""


def findings(page: Page, *left_out: str) -> list[str]:
    return [
        finding
        for finding in serious_findings(page)
        if not any(rule in finding for rule in (MARKUP_OF_SWAGGER, *left_out))
    ]


def test_the_page_of_the_api_is_accessible_and_readable_in_the_dark(
    page: Page, server: Server
) -> None:
    page.emulate_media(color_scheme="dark")
    page.goto(f"{server.url}/docs#/api/healthz")
    name = page.locator("#operations-api-healthz .opblock-summary-description")
    expect(name).to_have_css("color", "rgb(228, 230, 230)")
    assert findings(page) == []
    page.get_by_role("button", name="Switch between light and dark").click()
    expect(name).to_have_css("color", "rgb(59, 65, 81)")
    assert findings(page, COLOURS_OF_SWAGGER) == []
    page.set_viewport_size({"width": 390, "height": 844})
    page.locator("#operations-models-post_model .opblock-summary-control").click()
    expect(page.locator("#operations-models-post_model .responses-table")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert findings(page, COLOURS_OF_SWAGGER, EXAMPLE_OF_SWAGGER) == []
