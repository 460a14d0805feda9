"""The clients of the README, as people use them: curl, wscat, Node's ws."""

import json
import os
import subprocess


def run(*command):
    """What a command says on an input that neither speaks nor ends: wscat leaves with its input."""
    environment = {**os.environ, "NODE_PATH": "/usr/share/nodejs"}
    reader, writer = os.pipe()
    try:
        result = subprocess.run(command, stdin=reader, capture_output=True, text=True, timeout=30, env=environment)
    finally:
        os.close(reader)
        os.close(writer)
    assert result.returncode == 0, result
    return result.stdout


def curl(server, *arguments):
    return run("curl", "--silent", "--show-error", "--fail-with-body", "--max-time", "10", *arguments)


def test_curl_and_wscat(server):
    session = json.loads(curl(server, "-X", "POST", f"{server.urls[0]}/token?name=Ann"))
    server.secrets.add(session["token"])
    said = run("wscat", "--connect", session["chat_url"], "--execute", "hi", "--wait", "1")
    assert "BOT: hi" in said
    history = json.loads(curl(server, f"{server.urls[0]}/messages?token={session['token']}"))
    assert [message["msg"] for message in history["messages"]] == ["hi", "BOT: hi"]
    assert history["next"] == history["messages"][-1]["id"]


def test_curl_sends_names_as_form_and_as_json(server):
    form = curl(server, "--data-urlencode", "name=Ann Lee", f"{server.urls[0]}/token")
    body = curl(server, "--json", '{"name":"Ann Lee"}', f"{server.urls[0]}/token")
    assert json.loads(form)["name"] == json.loads(body)["name"] == "Ann Lee"


def test_nodes_ws_talks_and_sees_the_reason_of_a_close(server):
    script = """
        const WebSocket = require('ws');
        const chat = new WebSocket(process.argv[1]);
        chat.on('open', () => chat.send('hi'));
        chat.on('message', data => { console.log(String(data)); chat.close(1000, 'bye'); });
        chat.on('close', (code, reason) => console.log(code, String(reason)));
    """
    token = server.token()
    url = f"ws://{server.host}/chat?token="
    assert run("/usr/bin/node", "-e", script, url + token).splitlines()[0] == "BOT: hi"
    refused = run("/usr/bin/node", "-e", script, url + "nonsense")
    assert refused == "1008 Session not authenticated or expired token\n"
