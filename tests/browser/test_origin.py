"""What a source answers cannot act on the origin where people type their credentials."""

import json

from selenium.webdriver.support.ui import WebDriverWait

SCRIPT = "document.title = 'ran'; window.ran = true;"


def source(server, content_type, body):
    """The URL of a source with an answer of its owner's."""
    answer = server.http("POST", "/v1/sources",
                         {"answer": {"content_type": content_type, "body": body}},
                         {"x-ultracart-simple-key": server.simple_key})
    assert answer.status == 201, answer.body
    return server.url + json.loads(answer.body)["path"] + "?a=1"


def test_a_page_runs_nothing_and_is_of_no_origin(scripting, server):
    page = (f"<!doctype html><title>quiet</title><script>{SCRIPT}</script>"
            f"<img src=x onerror=\"{SCRIPT}\"><p id=text>shown</p>"
            "<form action=/rest/v2/oauth/device><button id=send>send</button></form>")
    scripting.get(source(server, "text/html", page))
    assert scripting.find_element("id", "text").text == "shown"
    assert scripting.title == "quiet"
    # What the page's own origin is, as the browser says.
    assert scripting.execute_script("return self.origin") == "null"
    before = scripting.current_url
    scripting.find_element("id", "send").click()
    assert scripting.current_url == before, "a form went out"


def test_the_consent_page_cannot_be_reached_from_a_sources_page(scripting, server):
    """The attack that took a credential: a page of the server's origin opens the consent page and
    reads what is typed there. The driver runs the page's script, as if the policy had let it."""
    scripting.get(source(server, "text/html", "<!doctype html><title>quiet</title>"))
    opened = scripting.execute_script("""
        window.consent = window.open('/rest/v2/oauth/device');
        return window.consent !== null;""")
    assert not opened, "the page opened the consent page"
    for place in ("localStorage", "document.cookie", "parent.sessionStorage"):
        refused = scripting.execute_script(
            f"try {{ return String({place}) }} catch (error) {{ return error.name }}")
        assert refused == "SecurityError", place


def test_an_answer_is_no_script_of_another_page(scripting, server, home):
    url = source(server, "text/javascript", SCRIPT)
    home.pages["/page"] = (f"<!doctype html><title>quiet</title><script src=\"{url}\"></script>"
                           "<script>window.parsed = true</script>")
    scripting.get(f"{home.url}/page")
    WebDriverWait(scripting, 10).until(lambda driver: driver.execute_script("return window.parsed"))
    assert scripting.title == "quiet"
    assert scripting.execute_script("return window.ran") is None
