#!/usr/bin/env python3
"""Speaks a sound file through a running service, from Python: the standard library is enough.

    mmdagent-bridge serve                    # in another terminal
    python3 samples/speak.py samples/hello.wav [http://127.0.0.1:9001]

MMDAGENT_BRIDGE_URL names another bridge.
"""
import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request

if len(sys.argv) < 2:
    sys.exit("usage: python3 samples/speak.py FILE [http://127.0.0.1:9001]")
path = sys.argv[1]
base = sys.argv[2] if len(sys.argv) > 2 else os.environ.get("MMDAGENT_BRIDGE_URL", "http://127.0.0.1:9001").rstrip("/")


def call(method, route, data=None, headers=None):
    request = urllib.request.Request(base + route, data=data, method=method, headers=headers or {})
    with urllib.request.urlopen(request) as response:
        return json.load(response)


try:
    print("agents:", ", ".join(f"{a['name']} ({a['state']})" for a in call("GET", "/api/agents")["agents"]) or "none")
    call("POST", "/api/agents/default/commands", json.dumps({"commands": ["MOTION_ADD|0|bow|bow.vmd"]}).encode(),
         {"content-type": "application/json"})
    # Commands at moments of the sound, as it is heard.
    cues = json.dumps([{"atMs": 500, "send": "MOTION_ADD|0|nod|nod.vmd"}])
    query = urllib.parse.urlencode({"wait": "finished", "cues": cues})
    with open(path, "rb") as sound:
        end = call("PUT", "/api/agents/default/speeches?" + query, sound.read(),
                   {"content-type": "application/octet-stream"})
    print(json.dumps(end, indent=2))
except urllib.error.HTTPError as error:
    problem = json.load(error)
    sys.exit(f"{problem['detail']} [{problem['code']}] {problem['advice']}")
except FileNotFoundError:
    sys.exit(f"no file {path}")
except urllib.error.URLError as error:
    sys.exit(f"no service at {base}: {error.reason}. Start it with: mmdagent-bridge serve")
