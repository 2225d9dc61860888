#!/usr/bin/env python3
"""Speaks what a language model writes, while it writes: each piece goes over the bridge's stream as it comes, and the
first sentence sounds while the next ones are still to come. Python alone, nothing to install.

    python3 samples/llm.py                                     # a stand-in writes, 20 words a second
    LLM_URL=http://localhost:11434/v1 LLM_MODEL=llama3.2 python3 samples/llm.py "Why is the sky blue?"

LLM_URL is any server that speaks OpenAI's chat completions (Ollama, llama.cpp, vLLM, OpenAI); LLM_KEY its key.
MMDAGENT_BRIDGE_URL (http://192.168.1.5:9001) names another bridge, MMDAGENT_BRIDGE_TOKEN its token. Ctrl-C interrupts the avatar.
"""
import json, os, re, signal, sys, threading, time, urllib.request
from stream import Stream

STAND_IN = "Light from the sun is white. [nod] In the air, blue is scattered most of all. That is why the sky is blue."
# Between a sentence and what follows it, wherever the model cuts its pieces; not within 3.14.
SENTENCE_END = re.compile(r"(?<=[。！？])(?=.)|(?<=[.!?])(?=\s)", re.DOTALL)


def stand_in(_prompt):
    for word in re.findall(r"\S+\s*", STAND_IN):
        time.sleep(0.05)
        yield word


def model(prompt):
    """The pieces of an answer, as the server sends them (server-sent events)."""
    body = {"model": os.environ.get("LLM_MODEL", "gpt-4o-mini"), "stream": True,
            "messages": [{"role": "system", "content": "Answer in two or three short spoken sentences."},
                         {"role": "user", "content": prompt}]}
    request = urllib.request.Request(
        os.environ["LLM_URL"].rstrip("/") + "/chat/completions", json.dumps(body).encode(),
        {"Content-Type": "application/json", "Authorization": "Bearer " + os.environ.get("LLM_KEY", "none")})
    with urllib.request.urlopen(request) as answer:
        for line in answer:
            if line.startswith(b"data: ") and line.strip() != b"data: [DONE]":
                for choice in json.loads(line[6:])["choices"]:
                    yield choice["delta"].get("content") or ""


def main(prompt="Why is the sky blue?"):
    stream = Stream()
    flow, over = threading.Event(), threading.Event()
    flow.set()
    began = time.monotonic()

    def mark(sentence):
        # Comes back when the sentence has been heard, or was not: what a dialogue should remember as said.
        if sentence.strip():
            stream.say(type="mark", name=sentence.strip()[:200])

    def write():
        # A tag does what its table says where it stands, as it is heard: here, or in the service's bridge.yaml.
        stream.say(type="say", label="the answer", tags={"nod": "MOTION_ADD|0|nod|nod.vmd"})
        sentence = ""
        for piece in (model if os.environ.get("LLM_URL") else stand_in)(prompt):
            flow.wait()  # 'pause' and 'resume' of the bridge
            if over.is_set():
                return  # interrupted: what the model goes on to write is not wanted
            before = sentence[-1:]
            for number, part in enumerate(SENTENCE_END.split(before + piece)):
                if number == 0:
                    part = part[len(before):]
                else:
                    mark(sentence)
                    sentence = ""
                stream.say(type="text", text=part)
                sentence += part
        mark(sentence)
        print(f"written after {time.monotonic() - began:.1f} s", flush=True)
        stream.say(type="end")

    # In a thread of its own: a signal can come in the middle of another message.
    signal.signal(signal.SIGINT, lambda *_: threading.Thread(target=lambda: stream.say(type="interrupt")).start())
    threading.Thread(target=write, daemon=True).start()
    for message in stream.told():
        kind = message["type"]
        if kind in ("pause", "resume"):
            (flow.clear if kind == "pause" else flow.set)()
        elif kind == "state" and message["state"] == "speaking":
            print(f"speaks after {time.monotonic() - began:.1f} s", flush=True)
        elif kind == "mark":
            print("heard:    " if message["heard"] else "not heard:", message["name"], flush=True)
        elif kind == "warning":
            print(message["message"], flush=True)
        elif kind in ("ended", "error"):
            over.set()
            stream.close()
            error = message.get("error")
            sys.exit(f"{error['detail']} {error['advice']}" if error and message.get("how") != "stopped" else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
