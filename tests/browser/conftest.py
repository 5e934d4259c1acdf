import http.server
import shutil
import threading
from urllib.parse import parse_qs, urlsplit

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service


def chromium(tmp_path_factory, scripts=True):
    """A headless Chromium with a profile of its own."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("chromium-browser")
    profile = tmp_path_factory.mktemp("profile")
    # Containers have neither the sandbox's privileges nor much shared memory.
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu",
                 "--force-device-scale-factor=1", f"--user-data-dir={profile}"):
        options.add_argument(flag)
    if not scripts:
        options.add_experimental_option(
            "prefs", {"profile.managed_default_content_settings.javascript": 2})
    service = Service(shutil.which("chromedriver"))
    return webdriver.Chrome(options=options, service=service)


@pytest.fixture(scope="session", params=[True, False], ids=["scripts", "no-scripts"])
def browser(request, tmp_path_factory):
    """The browser, once with scripts and once without."""
    driver = chromium(tmp_path_factory, request.param)
    yield driver
    driver.quit()


@pytest.fixture(scope="session")
def scripting(tmp_path_factory):
    """The browser with scripts, for what is looked into by one."""
    driver = chromium(tmp_path_factory)
    yield driver
    driver.quit()


class Application:
    """Where people are sent back to, and whatever else an application serves."""

    def __init__(self):
        self.arrived, self.pages = [], {}
        application = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                at = urlsplit(self.path)
                if at.path == "/cb":
                    application.arrived.append(
                        {name: values[0] for name, values in parse_qs(at.query).items()})
                page = application.pages.get(at.path, "<title>back</title><p>back</p>").encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(page)))
                self.end_headers()
                self.wfile.write(page)

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def home():
    application = Application()
    yield application
    application.http.shutdown()
    application.http.server_close()
