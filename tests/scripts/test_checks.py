"""The checks themselves: a sound tree passes, each planted fault is found."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

SOUND = {
    "base/log.h": "#pragma once\n",
    "net/redis_link.c": '#include "base/log.h"\n#include <hiredis/hiredis.h>\n',
    "protocol/json.c": '#include "base/log.h"\n#include <jansson.h>\n',
    "bot/worker.h": '#include "net/redis_link.h"\n#include <uv.h>\n',
    "server/main.c": '#include "bot/worker.h"\n#include "net/redis_link.h"\n#include "server/main.h"\n',
    "README.md": """# Map
## `base/`
- `log.h`: says what happened
## `net/`
- `redis_link.c`: `hiredis` on a loop
## `protocol/`
- `json.c`: JSON
## `bot/`
- `worker.h`: answers
## `server/`
- `main.c`: starts
## Non-goals
- `nothing.c`: is not a file
""",
}


def check(tmp_path, **changes):
    for name, text in {**SOUND, **changes}.items():
        path = tmp_path / "src" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return subprocess.run([ROOT / "scripts" / "check-layers", tmp_path], capture_output=True, text=True, timeout=20)


def test_a_sound_tree_passes(tmp_path):
    result = check(tmp_path)
    assert (result.returncode, result.stdout) == (0, "The layers are kept.\n")


@pytest.mark.parametrize(
    "name, line",
    [
        ("protocol/json.c", '#include "net/redis_link.h"'),
        ("net/redis_link.c", '#include "protocol/json.h"'),
        ("net/redis_link.c", '#  include "server/main.h"'),
        ("base/log.h", '#include "protocol/json.h"'),
        ("server/main.c", '#include "bot/echo.h"'),
        ("server/main.c", '#include "client/chat_client.h"'),
        ("server/main.c", '#include "main.h"'),
        ("server/main.c", "#include <hiredis/hiredis.h>"),
        ("server/main.c", "#include <microhttpd.h>"),
        ("server/main.c", "#include <jansson.h>"),
        ("protocol/json.c", "#include <uv.h>"),
        ("net/redis_link.c", "#include <wslay/wslay.h>"),
    ],
)
def test_a_forbidden_include_is_found(tmp_path, name, line):
    result = check(tmp_path, **{name: SOUND[name] + line + "\n"})
    assert result.returncode == 1
    assert result.stdout.startswith(f"src/{name}:{SOUND[name].count(chr(10)) + 1}: ")
    assert len(result.stdout.splitlines()) == 1


@pytest.mark.parametrize(
    "changes, problem",
    [
        ({"base/buf.c": ""}, "src/README.md: does not name base/buf.c"),
        (
            {"README.md": SOUND["README.md"].replace("says what happened", "x\n- `log.h`: again")},
            "names base/log.h again",
        ),
        ({"README.md": SOUND["README.md"].replace("`json.c`", "`json.c` `xml.c`")}, "there is no protocol/xml.c"),
        ({"gui/main.c": "", "README.md": SOUND["README.md"] + "## `gui/`\n- `main.c`: x\n"}, "no such layer: gui"),
    ],
    ids=["not in the map", "twice in the map", "only in the map", "unknown layer"],
)
def test_a_wrong_map_is_found(tmp_path, changes, problem):
    result = check(tmp_path, **changes)
    assert result.returncode == 1
    assert problem in result.stdout


@pytest.mark.parametrize(
    "script", ["run", "test", "check-code", "check-docs", "check-layers", "check-format", "check-shell"]
)
def test_each_script_explains_itself(script):
    result = subprocess.run([ROOT / "scripts" / script, "--help"], capture_output=True, text=True, timeout=20)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith(f"Usage: scripts/{script}")
