"""A WebSocket server for an avatar that prints what the avatar says and sends a line every 0.2 s."""
import asyncio

import websockets


async def handler(websocket, _path=None):
    async def send():
        number = 0
        while True:
            number += 1
            await websocket.send(f"TEST_MESSAGE|{number}\n")
            await asyncio.sleep(0.2)

    async def receive():
        async for message in websocket:
            print(message.rstrip("\n"), flush=True)

    await asyncio.gather(send(), receive())


async def main():
    async with websockets.serve(handler, "127.0.0.1", 0) as server:
        print("port", server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()


asyncio.run(main())
