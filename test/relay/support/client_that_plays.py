"""A TCP client of an avatar: sends a sound in real time and closes."""
import socket
import sys
import time
import wave

port, path = int(sys.argv[1]), sys.argv[2]
with socket.create_connection(("127.0.0.1", port)) as avatar, wave.open(path) as sound:
    avatar.sendall(b"__AV_SETMODEL,0\n")
    avatar.sendall(b"SNDFILE\n")
    while frames := sound.readframes(640):
        avatar.sendall(b"SND" + b"%04d" % len(frames) + frames)
        time.sleep(640 / 16000)
    avatar.sendall(b"SNDBRKS\n")
