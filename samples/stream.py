#!/usr/bin/env python3
"""Speaks sound while it is made, over the bridge's stream. Python alone, nothing to install.

    python3 samples/stream.py                 # a tone, made here
    python3 samples/stream.py voice.wav       # a file, of any format
    MMDAGENT_BRIDGE_URL=http://192.168.1.5:9001 MMDAGENT_BRIDGE_TOKEN=… python3 samples/stream.py voice.wav
"""
import base64, json, math, os, socket, struct, sys, threading
from urllib.parse import urlsplit

URL = urlsplit(os.environ.get("MMDAGENT_BRIDGE_URL", "http://127.0.0.1:9001"))


class Stream:
    """The WebSocket of one agent (RFC 6455): `say` sends a message, `sound` sends sound, `told` is what comes back."""

    def __init__(self, host=URL.hostname, port=URL.port or 80, agent="default", token=os.environ.get("MMDAGENT_BRIDGE_TOKEN")):
        try:
            self.socket = socket.create_connection((host, port))
        except OSError as error:
            sys.exit(f"no service at {host}:{port}: {error}. Start it with: mmdagent-bridge serve")
        head = [f"GET /api/agents/{agent}/stream HTTP/1.1", f"Host: {host}:{port}", "Upgrade: websocket",
                "Connection: Upgrade", "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: " + base64.b64encode(os.urandom(16)).decode()]
        if token:
            head.append("Authorization: Bearer " + token)
        self.socket.sendall(("\r\n".join(head) + "\r\n\r\n").encode())
        self.file = self.socket.makefile("rb")
        status = self.file.readline().decode()
        while self.file.readline().strip():
            pass
        if " 101 " not in status:
            sys.exit(f"The bridge refused: {status}{self.file.read().decode()}")
        self.lock = threading.Lock()

    def _send(self, kind, data):
        size = len(data)
        length = bytes([128 | size]) if size < 126 else bytes([254]) + struct.pack(">H", size)
        # The mask is all zeros, so that the data goes out as it is.
        with self.lock:
            self.socket.sendall(bytes([128 | kind]) + length + bytes(4) + data)

    def say(self, **message):
        self._send(1, json.dumps(message).encode())

    def sound(self, data):
        for at in range(0, len(data), 32768):
            self._send(2, data[at : at + 32768])

    def close(self):
        self._send(8, struct.pack(">H", 1000))

    def told(self):
        """Every message of the bridge, until it closes."""
        while head := self.file.read(2):
            size = head[1] & 127
            if size >= 126:
                size = int.from_bytes(self.file.read(2 if size == 126 else 8), "big")
            data, kind = self.file.read(size), head[0] & 15
            if kind == 1:
                yield json.loads(data)
            elif kind == 8:
                return
            elif kind == 9:
                self._send(10, data)


def tone(seconds=3, rate=24000):
    """What a speech engine would do: some samples at a time, as they are made."""
    for start in range(0, seconds * rate, 2400):
        wave = (int(9000 * math.sin(2 * math.pi * 440 * i / rate)) for i in range(start, start + 2400))
        yield b"".join(struct.pack("<h", sample) for sample in wave)


def main(path=None):
    if path and not os.path.isfile(path):
        sys.exit(f"no file {path}")
    stream = Stream()
    flow = threading.Event()
    flow.set()

    def speak():
        if path:
            stream.say(type="start", label=os.path.basename(path))
            pieces = iter(lambda file=open(path, "rb"): file.read(16384), b"")
        else:
            stream.say(type="start", label="a tone", format="s16le:24000:1")
            pieces = tone()
        for piece in pieces:
            flow.wait()  # 'pause' and 'resume' of the bridge; who ignores them is held by TCP
            stream.sound(piece)
        stream.say(type="mark", name="all of it")
        stream.say(type="end")

    threading.Thread(target=speak, daemon=True).start()
    for message in stream.told():
        if message["type"] in ("pause", "resume"):
            (flow.clear if message["type"] == "pause" else flow.set)()
        elif message["type"] == "position":
            print(f"\r{message['positionMs'] / 1000:6.1f} s", end="", flush=True)
        else:
            print("\r" + json.dumps(message, ensure_ascii=False))
        if message["type"] in ("ended", "error"):
            stream.close()
            sys.exit(0 if message.get("how") == "completed" else 1)


if __name__ == "__main__":
    main(*sys.argv[1:])
