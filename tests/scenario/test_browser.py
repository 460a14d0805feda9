"""What a page in a real browser sees: Debian's Chromium, headless."""

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

CHROMIUM_OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]

# Opens a session, says hi, and tells what happens until the socket closes; then the same with a token of nobody.
TALK = """
    const [base, done] = arguments;
    const seen = [];
    function talk(url, next) {
        const chat = new WebSocket(url);
        chat.onopen = () => chat.send('hi');
        chat.onmessage = ({data}) => { seen.push(data); chat.close(1000, 'bye'); };
        chat.onclose = ({code, reason, wasClean}) => { seen.push([code, reason, wasClean]); next(); };
    }
    fetch(base + '/token?name=Ann', {method: 'POST'})
        .then(answer => answer.json())
        .then(({chat_url}) => talk(chat_url, () => talk(chat_url.replace(/=.*/, '=nobody'), () => done(seen))))
        .catch(error => done([...seen, String(error)]));
"""


@pytest.fixture
def browser(tmp_path):
    options = Options()
    for option in [*CHROMIUM_OPTIONS, f"--user-data-dir={tmp_path / 'profile'}"]:
        options.add_argument(option)
    driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
    driver.set_script_timeout(30)
    yield driver
    driver.quit()


@pytest.mark.slow
def test_a_page_talks_and_reads_why_it_was_refused(server, browser):
    browser.get(server.urls[0] + "/")
    assert server.host in browser.page_source
    browser.get(server.urls[0] + "/healthz")  # the same origin, without the policy that keeps / from running anything
    seen = browser.execute_async_script(TALK, server.urls[0])
    assert seen == ["BOT: hi", [1000, "bye", True], [1008, "Session not authenticated or expired token", True]]


@pytest.mark.slow
def test_a9_a_foreign_page_can_neither_read_nor_talk(server, browser):
    """A page without an origin of its own (data:) stands for any foreign site."""
    browser.get("data:text/html,<title>foreign</title>")
    assert browser.execute_async_script(TALK, server.urls[0]) == ["TypeError: Failed to fetch"]
    script = "const [url, done] = arguments; new WebSocket(url).onclose = ({code}) => done(code);"
    url = f"ws://{server.host}/chat?token={server.token()}"
    assert browser.execute_async_script(script, url) == 1006
