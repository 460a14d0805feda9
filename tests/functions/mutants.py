#!/usr/bin/env python3
"""
Breaks the function library in one place at a time: the random schedules must notice each break. Those that heal
themselves are listed apart, with the reason; they must not be noticed.

    mutants.py [WORD]     all, or those whose name has the word
"""

import sys
from typing import NamedTuple

from own_redis import LIBRARY
from schedule_viewer import Bug
from schedules import Rules, run_schedules

SEEDS = range(1000, 1400)


class Mutant(NamedTuple):
    name: str
    old: str
    new: str


CAUGHT = [
    Mutant(
        "reply: the owner is not asked",
        "if work ~= turn and work ~= turn .. ' ' .. tag then return lost(keys, work, turn, entry) end\n  if offset",
        "if not session[1] then return 'LOST' end\n  if offset",
    ),
    Mutant(
        "reply: a session that is over is answered",
        "if work ~= turn and work ~= turn .. ' ' .. tag then return lost(keys, work, turn, entry) end\n  if offset",
        "if not work then session, work = {'0-0', turn, ''}, turn end\n"
        "  if work ~= turn and work ~= turn .. ' ' .. tag then return lost(keys, work, turn, entry) end\n  if offset",
    ),
    Mutant(
        "reply: the offset is not compared with the draft",
        "if not draft or #draft ~= tonumber(offset) then return 'AGAIN' end",
        "draft = draft or ''",
    ),
    Mutant(
        "delta: the owner is not asked",
        "if work ~= mine and work ~= turn then return lost(keys, work, turn, entry) end",
        "if not is_turn(work, turn) then return lost(keys, work, turn, entry) end work = mine",
    ),
    Mutant("delta: the length is not compared", "~= #mine + 1 + offset + #piece then", "== -1 then"),
    Mutant(
        "draft: whoever began it",
        "if draft and draft:sub(1, #head) == head then return draft:sub(#head + 1) end",
        "if draft then return draft:sub(draft:find('\\n', 1, true) + 1) end",
    ),
    Mutant("history: no expiry", "  expire_with_session(keys, keys[MESSAGES])\n", ""),
    Mutant("events: long texts in them", "#text <= EVENT_TEXT_MAX and", "true and"),
    Mutant("events: no mark", "mark and ',\"' .. mark .. '\":true' or ''", "''"),
    Mutant("queue: no expires", "'expires', expires or ''", "'expires', ''"),
    Mutant("mend: never", "[1] then return work end", "[1] or true then return work end"),
    Mutant(
        "accept: without limit",
        "if work ~= '' and count_words(waiting) + 2 > tonumber(argv[5]) then",
        "if false then",
    ),
    Mutant("accept: client ids are forgotten", "return recent .. client .. ' '", "return recent"),
    Mutant("accept: a retry is a new message", "if how == 'retry' or (recent", "if (recent"),
    Mutant(
        "accept: queued though a turn is in work",
        "  if work == '' then\n    work = queue",
        "  if true then\n    work = queue",
    ),
    Mutant(
        "finish: the next question is not queued",
        "newest, work, rest, events = next_turn(keys, id, waiting, history)",
        "newest, work, rest = id, '', waiting",
    ),
    Mutant("finish: stopped questions are asked", "if text and stopped == '' then", "if text then"),
    Mutant("abort: the draft stays, the answer is empty", "text = draft_of(keys, work) or '', mark", "text = '', mark"),
    Mutant("refresh: past the greatest life", "if session[2] then expires", "if false then expires"),
    Mutant(
        "refresh: can shorten",
        "math.max(now + ttl, redis.call('PEXPIRETIME', keys[SESSION]))",
        "now + ttl",
    ),
    Mutant("refresh: the history keeps its expiry", "  redis.call('PEXPIREAT', keys[MESSAGES], expires)\n", ""),
    Mutant(
        "refresh: the text of the expiry is not told",
        "redis.call('HSET', keys[SESSION], 'expires_at', iso_time(expires))",
        "",
    ),
    Mutant(
        "end: the history stays",
        "redis.call('DEL', keys[SESSION], keys[MESSAGES], keys[DRAFT])",
        "redis.call('DEL', keys[SESSION])",
    ),
    Mutant(
        "claim: the session is not told the owner",
        "redis.call('HSET', own[SESSION], 'work', work .. ' ' .. tag)",
        "",
    ),
    Mutant(
        "claim: entries that are no turns stay",
        "if session and not is_turn(session[2], work) then return drop(requests, entry) end",
        "if session and not is_turn(session[2], work) then return end",
    ),
    Mutant(
        "claim: foreign entries are taken for ours",
        "if not turn.token or not turn.message then return drop(requests, entry) end",
        "",
    ),
    Mutant("claim: foreign types stop it", "local session = call_on_own_type(", "local session = redis.call("),
    Mutant(
        "renew, release: another's entries are stolen back",
        "'bots', entry, entry, 1, worker)[1]",
        "'bots', entry, entry, 1)[1]",
    ),
    Mutant("release: counts as a delivery", "math.max(delivered - 1, 0)", "delivered"),
    Mutant("release: nobody may take it at once", "'IDLE', FREE_IDLE_MS, 'RETRYCOUNT'", "'RETRYCOUNT'"),
    Mutant("sweep: drops the living", "if not is_turn(work, (message or '') .. ' ' .. entry[1]) then", "if true then"),
    Mutant("retire: with pending entries", "if get(consumer, 'pending') == 0 and", "if"),
    Mutant(
        "beat: only itself is counted",
        "connections = connections + (tonumber(node.connections) or 0)",
        "connections = tonumber(argv[2])",
    ),
]

HEALED = [
    (
        "LOST drops the entry though another worker has it now: the next attach or accept queues the turn again",
        Mutant("lost: drops always", "if not is_turn(work, turn) then drop(", "if true then drop("),
    ),
    (
        "each event looks like a hole, so the history is read instead: dear, but right",
        Mutant("events: prev is the answer itself", "answer_event(role, id, last, ", "answer_event(role, id, id, "),
    ),
    (
        "the next claim finds that the turn is over and drops the entry",
        Mutant(
            "finish: the entry stays in the queue",
            "  drop(keys[REQUESTS], entry)\n  redis.call('PUBLISH', channel, answer",
            "  redis.call('PUBLISH', channel, answer",
        ),
    ),
]

RULES = [
    ("server: attaches before it has subscribed", Rules(subscribe_first=False)),
    ("server: does not look at prev", Rules(look_at_prev=False)),
    ("worker: makes the group at $", Rules(group_start="$")),
]


def noticed(library=None, rules=Rules()):
    """What the schedules say, or None."""
    try:
        run_schedules(SEEDS, library, rules)
    except Bug as bug:
        return str(bug)


def broken(code, mutant):
    if code.count(mutant.old) != 1:
        sys.exit(f"{mutant.name}: its text is not once in the library any more")
    return code.replace(mutant.old, mutant.new)


def main():
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    code = LIBRARY.read_text()
    cases = [(m.name, True, {"library": broken(code, m)}) for m in CAUGHT]
    cases += [(m.name, False, {"library": broken(code, m)}) for _, m in HEALED]
    cases += [(name, True, {"rules": rules}) for name, rules in RULES]
    wrong = 0
    for name, must_be_noticed, how in cases:
        if word not in name:
            continue
        bug = noticed(**how)
        is_right = (bug is not None) == must_be_noticed
        wrong += not is_right
        print(f"{'ok   ' if is_right else 'WRONG'} {name:55} {(bug or 'not noticed')[:110]}", flush=True)
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
