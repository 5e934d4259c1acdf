"""OAuth2 as people and applications meet it: a real browser on the pages, the unmodified SDK on the
rest (docs/spec/ultracart.md#oauth2)."""

import base64
import contextlib
import hashlib
import os
import pathlib
from urllib.parse import urlencode

import pytest
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.expected_conditions import staleness_of
from selenium.webdriver.support.ui import WebDriverWait
from ultracart import ApiClient, Configuration
from ultracart.api.oauth_api import OauthApi
from ultracart.api.webhook_api import WebhookApi
from ultracart.exceptions import ApiException, UnauthorizedException

from harness import command

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def register(server, home, **fields):
    """A new application; as the native API shows it."""
    body = {"name": "Reports", "developer": "Example Ltd", "url": "https://reports.example.com/",
            "description": "Counts orders by region and mails the result every Monday.",
            "redirect_uris": [f"{home.url}/cb"], "scopes": ["webhook_read", "webhook_write"],
            **fields}
    answer = server.http("POST", "/v1/applications", body,
                         {"x-ultracart-simple-key": server.simple_key})
    assert answer.status == 201, answer.body
    return answer.json


def link(server, home, application, **parameters):
    """Where an application sends its users."""
    query = {"response_type": "code", "client_id": application["client_id"],
             "redirect_uri": f"{home.url}/cb", "state": "st&te", **parameters}
    return f"{server.url}/rest/v2/oauth/authorize?{urlencode(query)}"


def sdk(server, kind, token=None):
    configuration = Configuration(host=f"{server.url}/rest/v2", access_token=token)
    return kind(ApiClient(configuration=configuration))


@contextlib.contextmanager
def leaving(browser):
    """Waits until what is done inside has led to another page."""
    shown = browser.find_element(By.TAG_NAME, "body")
    yield
    # While the page changes, the driver may know nothing of the element in words of its own.
    WebDriverWait(browser, 10, ignored_exceptions=[WebDriverException]).until(staleness_of(shown))


def decide(browser, credential, button="allow"):
    """Fills in the page that is shown."""
    with leaving(browser):
        if credential:
            browser.find_element(By.ID, "credential").send_keys(credential)
        browser.find_element(By.CSS_SELECTOR, f"button[value={button}]").click()


def text(browser, selector="main"):
    """What a part of the page says."""
    return browser.find_element(By.CSS_SELECTOR, selector).text


def let_in(browser, server, home, application, **parameters):
    """Lets the application in; what it is sent."""
    browser.get(link(server, home, application, **parameters))
    decide(browser, server.simple_key)
    WebDriverWait(browser, 10).until(lambda _: home.arrived)
    return home.arrived.pop()


def exchange(server, home, application, code):
    return sdk(server, OauthApi).oauth_access_token(
        application["client_id"], "authorization_code", code=code, redirect_uri=f"{home.url}/cb")


def refresh(server, application, token):
    return sdk(server, OauthApi).oauth_access_token(
        application["client_id"], "refresh_token", refresh_token=token)


def refused(call, *args, status=400):
    """The body of the exception."""
    with pytest.raises(ApiException) as caught:
        call(*args)
    assert caught.value.status == status, caught.value.body
    return caught.value.body


def test_from_registration_to_410(browser, server, home):
    application = register(server, home)
    sent = let_in(browser, server, home, application)
    assert sent["state"] == "st&te" and set(sent) == {"code", "state"}
    tokens = exchange(server, home, application, sent["code"])
    assert tokens.token_type == "bearer" and tokens.expires_in == "31536000"
    assert tokens.scope == "webhook_read webhook_write" and tokens.merchant_id == "DEMO"
    assert sdk(server, WebhookApi, tokens.access_token).get_webhooks(limit=1).success
    for value in (f"Bearer {tokens.access_token}", tokens.access_token):
        answer = server.http("GET", "/rest/v2/oauth/me", headers={"Authorization": value})
        assert answer.status == 200 and answer.json["application_name"] == "Reports", answer.body

    renewed = refresh(server, application, tokens.refresh_token)
    assert renewed.refresh_token != tokens.refresh_token
    for token in (tokens.access_token, renewed.access_token):
        assert sdk(server, WebhookApi, token).get_webhooks(limit=1).success
    assert "invalid_grant" in refused(refresh, server, application, tokens.refresh_token)
    for token in (tokens.access_token, renewed.access_token):
        with pytest.raises(UnauthorizedException):
            sdk(server, WebhookApi, token).get_webhooks(limit=1)
    assert "invalid_grant" in refused(refresh, server, application, renewed.refresh_token)
    assert "invalid_grant" in refused(exchange, server, home, application, sent["code"])

    sent = let_in(browser, server, home, application)
    tokens = exchange(server, home, application, sent["code"])
    revoked = sdk(server, OauthApi).oauth_revoke(application["client_id"], tokens.refresh_token)
    assert revoked.successful is True and revoked.message
    with pytest.raises(UnauthorizedException):
        sdk(server, WebhookApi, tokens.access_token).get_webhooks(limit=1)

    sent = let_in(browser, server, home, application)
    tokens = exchange(server, home, application, sent["code"])
    answer = server.http("PATCH", f"/v1/applications/{application['id']}", {"disabled": True},
                         {"x-ultracart-simple-key": server.simple_key})
    assert answer.status == 200, answer.body
    client = sdk(server, WebhookApi, tokens.access_token)
    refused(client.get_webhooks, status=410)
    assert "unauthorized_client" in refused(
        refresh, server, application, tokens.refresh_token, status=410)
    browser.get(link(server, home, application))
    assert "disabled" in text(browser)


def test_a_proof_key_is_demanded_where_the_owner_says_so(browser, server, home):
    application = register(server, home, require_pkce=True)
    browser.get(link(server, home, application))
    WebDriverWait(browser, 10).until(lambda _: home.arrived)
    assert home.arrived.pop()["error"] == "invalid_request"
    verifier = "v" * 64
    digest = hashlib.sha256(verifier.encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    sent = let_in(browser, server, home, application, code_challenge=challenge,
                  code_challenge_method="S256")
    # The SDK cannot send the verifier.
    assert "code_verifier" in refused(exchange, server, home, application, sent["code"])
    body = urlencode({"client_id": application["client_id"], "grant_type": "authorization_code",
                      "code": sent["code"], "redirect_uri": f"{home.url}/cb",
                      "code_verifier": verifier})
    answer = server.http("POST", "/rest/v2/oauth/token", body, FORM)
    assert answer.status == 200, answer.body


def test_a_person_can_say_no_and_be_wrong(browser, server, home):
    application = register(server, home)
    browser.get(link(server, home, application))
    decide(browser, "not a credential")
    assert "no credential of this workspace" in text(browser, "[role=alert]")
    field = browser.find_element(By.ID, "credential")
    assert field.get_attribute("aria-invalid") == "true" and not field.get_property("value")
    weak = server.credential("--scope", "webhook_read")["simple_key"]
    decide(browser, weak)
    assert "lacks webhook_write admin" in text(browser, "[role=alert]")
    assert not home.arrived
    decide(browser, None, "deny")
    WebDriverWait(browser, 10).until(lambda _: home.arrived)
    sent = home.arrived.pop()
    assert (sent["error"], sent["state"]) == ("access_denied", "st&te")


def test_the_keyboard_is_enough(browser, server, home):
    application = register(server, home)
    browser.get(link(server, home, application))
    for _ in range(10):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        if browser.switch_to.active_element.get_attribute("id") == "credential":
            break
    browser.switch_to.active_element.send_keys(server.simple_key, Keys.ENTER)
    WebDriverWait(browser, 10).until(lambda _: home.arrived)
    assert home.arrived.pop()["code"], "the first button is the one that Enter presses"


def test_a_device_is_let_in(browser, server, home):
    application = register(server, home, device_flow=True)
    device = sdk(server, OauthApi).oauth_device_authorize(application["client_id"], "webhook_read")
    assert (device.expires_in, device.interval) == (600, 5)
    poll = {"grant_type": "device_code", "device_code": device.device_code}
    ask = lambda: sdk(server, OauthApi).oauth_access_token(application["client_id"], **poll)
    assert "authorization_pending" in refused(ask)
    browser.get(device.verification_uri)
    with leaving(browser):
        browser.find_element(By.ID, "user_code").send_keys("bbbbbbbb", Keys.ENTER)
    assert "No device waits" in text(browser, "[role=alert]")
    typed = device.user_code.lower().replace("-", " ")
    with leaving(browser):
        browser.find_element(By.ID, "user_code").send_keys(typed, Keys.ENTER)
    assert device.user_code in text(browser)
    decide(browser, server.simple_key)
    assert "let in" in text(browser)
    tokens = ask()
    assert tokens.scope == "webhook_read"
    assert sdk(server, WebhookApi, tokens.access_token).get_webhooks(limit=1).success


def test_the_command_line_registers_and_disables(server, home):
    made = command("application", "create", "--data", server.data, "--json", "--name", "Made here",
                   "--redirect-uri", f"{home.url}/cb", "--scope", "webhook_read")
    assert made.returncode == 0, made.stderr
    listed = command("application", "list", "--data", server.data)
    assert "Made here" in listed.stdout and "enabled" in listed.stdout


def test_no_other_site_shows_or_sends_the_page(scripting, server, home):
    application = register(server, home)
    where = link(server, home, application)
    home.pages["/frame"] = f"<title>frame</title><iframe src='{where}'></iframe>"
    scripting.get(f"{home.url}/frame")
    scripting.switch_to.frame(0)
    assert not scripting.find_elements(By.ID, "credential")
    scripting.switch_to.default_content()
    fields = {"response_type": "code", "client_id": application["client_id"],
              "redirect_uri": f"{home.url}/cb", "state": "s", "credential": server.simple_key}
    inputs = "".join(f"<input name='{name}' value='{value}'>" for name, value in fields.items())
    home.pages["/form"] = (f"<title>form</title><form method=post "
                           f"action='{server.url}/rest/v2/oauth/authorize'>{inputs}<button>Go")
    scripting.get(f"{home.url}/form")
    with leaving(scripting):
        scripting.find_element(By.TAG_NAME, "button").click()
    assert "Not from here" in text(scripting)
    assert not home.arrived


def luminance(color):
    """WCAG's relative luminance of an rgb(...) text."""
    numbers = color[color.index("(") + 1:-1].split(",")[:3]
    parts = [int(number) / 255 for number in numbers]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


LOOK = """
const seen = [];
for (const one of document.querySelectorAll('main *')) {
  const own = [...one.childNodes].some(n => n.nodeType === 3 && n.data.trim());
  if (!own) continue;
  let under = one;
  while (getComputedStyle(under).backgroundColor.match(/, 0\\)$/)) under = under.parentElement;
  seen.push([one.textContent.trim().slice(0, 30), getComputedStyle(one).color,
             getComputedStyle(under).backgroundColor]);
}
return {seen, wide: document.documentElement.scrollWidth, room: innerWidth,
        scripts: document.scripts.length, unlabelled: [...document.querySelectorAll(
          'input:not([type=hidden])')].filter(i => !i.labels.length).length,
        small: [...document.querySelectorAll('button,input:not([type=hidden])')].filter(
          e => e.getBoundingClientRect().height < 44).length};
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1200])
def test_the_page_can_be_read(scripting, server, home, scheme, width, tmp_path):
    application = register(server, home, device_flow=True, scopes=[
        "webhook_read", "webhook_write", "event_read", "admin"])
    device = sdk(server, OauthApi).oauth_device_authorize(application["client_id"], "webhook_read")
    emulate = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    scripting.execute_cdp_cmd("Emulation.setEmulatedMedia", emulate)
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    scripting.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    folder = pathlib.Path(os.environ.get("SCREENSHOTS", tmp_path))
    pages = {"consent": link(server, home, application), "enter": device.verification_uri,
             "device": device.verification_uri_complete,
             "wrong": link(server, home, application, redirect_uri="https://elsewhere.test/")}
    try:
        for name, place in pages.items():
            scripting.get(place)
            if name == "consent":
                decide(scripting, "not a credential")
            check(scripting.execute_script(LOOK), name)
            shot = scripting.execute_cdp_cmd("Page.captureScreenshot",
                                             {"captureBeyondViewport": True})
            picture = folder / f"{name}-{scheme}-{width}.png"
            picture.write_bytes(base64.b64decode(shot["data"]))
    finally:
        scripting.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def check(look, name):
    """What must hold of how a page looks."""
    assert look["scripts"] == look["unlabelled"] == look["small"] == 0, (name, look)
    assert look["wide"] <= look["room"], name
    assert len(look["seen"]) >= 2, name
    for words, ink, ground in look["seen"]:
        light, dark = sorted((luminance(ink), luminance(ground)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (name, words, ink, ground)
