"""A WebSocket server for an avatar that sends a sound in real time, in small frames, in stream mode."""
import asyncio
import sys
import wave

import websockets

path = sys.argv[1]
FRAME_SAMPLES = 480


async def play(websocket):
    await websocket.send("__AV_START\n")
    await websocket.send("__AV_SETMODEL,0\n")
    with wave.open(path) as sound:
        while frames := sound.readframes(FRAME_SAMPLES):
            await websocket.send(b"SND" + b"%04d" % len(frames) + frames)
            await asyncio.sleep(FRAME_SAMPLES / 16000)
    await websocket.send("SNDBRKS\n")


async def listen(websocket):
    async for message in websocket:
        print(message.rstrip("\n"), flush=True)


async def handler(websocket, _path=None):
    await asyncio.gather(play(websocket), listen(websocket))


async def main():
    async with websockets.serve(handler, "127.0.0.1", 0) as server:
        print("port", server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()


asyncio.run(main())
