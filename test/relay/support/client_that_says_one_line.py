"""A TCP client of an avatar: sends one line without its newline and closes."""
import socket
import sys

with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as avatar:
    avatar.sendall(b"MOTION_ADD|0|bye|bye.vmd")
