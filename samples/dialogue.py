#!/usr/bin/env python3
"""A dialogue through a running service: what the avatar's recogniser understood comes in as an event, an answer goes out
as text, with a nod where it stands, and when the user begins to speak the avatar falls silent (barge-in). The standard
library is enough. Ask your own language model in `answer`.

    mmdagent-bridge serve                    # in another terminal
    python3 samples/dialogue.py [http://127.0.0.1:9001] [AGENT]

MMDAGENT_BRIDGE_URL names another bridge, MMDAGENT_BRIDGE_TOKEN its token.
"""
import json
import os
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request

BASE = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("MMDAGENT_BRIDGE_URL", "http://127.0.0.1:9001").rstrip("/")
AGENT = urllib.parse.quote(sys.argv[2] if len(sys.argv) > 2 else "default")
TOKEN = os.environ.get("MMDAGENT_BRIDGE_TOKEN")
# What [nod] in an answer does, as it is heard; {model} is the model that speaks.
TAGS = {"nod": "MOTION_ADD|{model}|nod|nod.vmd"}


def call(method, route, body=None):
    headers = {"authorization": f"Bearer {TOKEN}"} if TOKEN else {}
    data = None if body is None else json.dumps(body).encode()
    if data is not None:
        headers["content-type"] = "application/json"
    return urllib.request.urlopen(urllib.request.Request(BASE + route, data, headers, method=method))


def answer(heard):
    return f"[nod] You said: {heard}. I am a small program, and I have nothing clever to say about that."


def speak(heard):
    try:
        with call("POST", f"/api/agents/{AGENT}/say",
                  {"text": answer(heard), "tags": TAGS, "when": "interrupt", "wait": "finished"}) as reply:
            print(f"avatar: completed after {json.load(reply)['end']['heardMs']:.0f} ms", flush=True)
    except urllib.error.HTTPError as error:
        problem = json.load(error)
        # SPEECH_STOPPED is no fault: the user spoke in between.
        print("avatar: stopped" if problem["code"] == "SPEECH_STOPPED" else f"avatar: {problem['detail']}", flush=True)


def events():
    """Everything that happens to the agent: server-sent events, each with one line of data."""
    with call("GET", f"/api/events?agent={AGENT}") as stream:
        for line in stream:
            if line.startswith(b"data: "):
                yield json.loads(line[6:])


def main():
    for event in events():
        if event["type"] == "snapshot":
            print("listening:", ", ".join(agent["state"] for agent in event["agents"]) or "no avatar yet", flush=True)
        if event["type"] != "message":
            continue
        kind, _, text = event["text"].partition("|")
        if kind == "RECOG_EVENT_START":
            # The user begins to speak: whatever the avatar says ends now.
            heard = json.load(call("POST", f"/api/agents/{AGENT}/interrupt?fadeMs=15"))["heardMs"]
            if heard > 0:
                print(f"  (interrupted after {heard:.0f} ms)", flush=True)
        elif kind == "RECOG_EVENT_STOP":
            print(f"user:   {text}", flush=True)
            # On a thread of its own, so that the next interruption is heard meanwhile.
            threading.Thread(target=speak, args=(text,), daemon=True).start()
    print("The service has ended.")


try:
    main()
except KeyboardInterrupt:
    pass
except urllib.error.URLError as error:
    sys.exit(f"no service at {BASE}: {error.reason}. Start it with: mmdagent-bridge serve")
