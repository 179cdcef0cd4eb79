"""Opens HTML reports in headless Chromium and clicks through them, by chromedriver alone.

Usage: click.py [--screenshot FILE] [--size WIDTH,HEIGHT] PAGE...

Each page must load without a request to anything but itself and without an error in its script, and
each row that names a section must open it, by a click and by the Enter key.
"""

import argparse
import base64
import json
import pathlib
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

# Rows that are tried of a page: more take minutes and show the same.
MOST_ROWS = 12


class Browser:
    """A session of chromedriver (W3C WebDriver)."""

    def __init__(self, size):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.driver = subprocess.Popen(
            ["chromedriver", f"--port={port}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.base = f"http://127.0.0.1:{port}"
        self.wait_until_ready()
        options = {
            "args": ["--headless=new", "--no-sandbox", "--disable-gpu", f"--window-size={size}"],
        }
        capabilities = {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"performance": "ALL", "browser": "ALL"},
        }
        asked = {"capabilities": {"alwaysMatch": capabilities}}
        self.session = self.call("POST", "/session", asked)["sessionId"]

    def wait_until_ready(self):
        deadline = time.monotonic() + 30
        while True:
            try:
                if self.call("GET", "/status")["ready"]:
                    return
            except (urllib.error.URLError, ConnectionError):
                pass
            if time.monotonic() > deadline or self.driver.poll() is not None:
                sys.exit("click.py: chromedriver does not start")
            time.sleep(0.1)

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data=data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            reason = json.load(error)["value"]["message"]
            sys.exit(f"click.py: {method} {path}: {reason}")

    def of_session(self, path, body):
        return self.call("POST", f"/session/{self.session}/{path}", body)

    def script(self, text, *arguments):
        return self.of_session("execute/sync", {"script": text, "args": list(arguments)})

    def elements(self, selector):
        found = self.of_session("elements", {"using": "css selector", "value": selector})
        return [next(iter(element.values())) for element in found]

    def is_displayed(self, element):
        return self.call("GET", f"/session/{self.session}/element/{element}/displayed")

    def log(self, kind):
        return self.of_session("se/log", {"type": kind})

    def close(self):
        try:
            self.call("DELETE", f"/session/{self.session}")
        finally:
            self.driver.terminate()
            self.driver.wait()


def requested(browser):
    """What the page has asked for since the last look."""
    for entry in browser.log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            yield message["params"]["request"]["url"]


# Whether the section of an element is open and visible; and closes it again.
SHOWN = """
const section = document.getElementById(arguments[0].dataset.target);
if (!section) return 'no section ' + arguments[0].dataset.target;
const shown = section.open && section.getBoundingClientRect().height > 40;
section.open = false;
return shown ? '' : section.id + ' does not open';
"""


def check(browser, page):
    """Returns what is wrong with a page, and how many rows were tried."""
    address = pathlib.Path(page).resolve().as_uri()
    browser.of_session("url", {"url": address})
    wrong = [f"asks for {url}" for url in requested(browser) if url != address]
    wrong += [f"script: {entry['message']}" for entry in browser.log("browser")]
    # Rows within a section are there once it is open.
    rows = [row for row in browser.elements("[data-target]") if browser.is_displayed(row)]
    if not rows:
        wrong.append("no row opens anything")
    step = max(1, len(rows) // MOST_ROWS)
    tried = rows[::step]
    for row in tried:
        element = {"element-6066-11e4-a52e-4f735466cecf": row}
        browser.of_session(f"element/{row}/click", {})
        by_click = browser.script(SHOWN, element)
        browser.of_session(f"element/{row}/value", {"text": "\ue007"})
        by_key = browser.script(SHOWN, element)
        tries = (("click", by_click), ("Enter", by_key))
        wrong += [f"{how}: {what}" for how, what in tries if what]
    wrong += [f"asks for {url}" for url in requested(browser) if url != address]
    return wrong, len(tried)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--screenshot", metavar="FILE", help="of the first page, before any click")
    parser.add_argument("--size", default="1200,1000", metavar="WIDTH,HEIGHT", help="of the window")
    parser.add_argument("pages", nargs="+", metavar="PAGE")
    arguments = parser.parse_args()
    browser = Browser(arguments.size)
    failed = False
    try:
        for number, page in enumerate(arguments.pages):
            if number == 0 and arguments.screenshot:
                browser.of_session("url", {"url": pathlib.Path(page).resolve().as_uri()})
                image = browser.call("GET", f"/session/{browser.session}/screenshot")
                pathlib.Path(arguments.screenshot).write_bytes(base64.b64decode(image))
            wrong, tried = check(browser, page)
            for what in wrong:
                print(f"{page}: {what}")
            failed = failed or bool(wrong)
            print(f"{page}: {tried} rows tried, {len(wrong)} problems")
    finally:
        browser.close()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
