"""
A chat tester that knows nothing of gaptrace: what anybody might write who reads the chat protocol. It is run against the
Django server and against ours, to show that either can stand in the other's place.

    /usr/bin/python3 e2e/python_tester.py ws://127.0.0.1:8000/ws/chat/room_a/ [SECONDS]

Sends {"my_id": <uuid>, "count": n}, n from 0, ten times a second, and prints what it gets. When a count of another
sender is not the one after the last: "ERROR: SERVER DROPPED A MESSAGE!" and exit status 1. 0 after SECONDS without that.
"""

import asyncio
import json
import sys
import uuid

import websockets


async def send(socket):
    my_id = str(uuid.uuid4())
    count = 0
    while True:
        await socket.send(json.dumps({"my_id": my_id, "count": count}))
        count += 1
        await asyncio.sleep(0.1)


async def receive(socket):
    last = {}
    async for text in socket:
        print(text, flush=True)
        message = json.loads(text)
        if "my_id" not in message:
            continue
        sender, count = message["my_id"], message["count"]
        if sender in last and count != last[sender] + 1:
            print("ERROR: SERVER DROPPED A MESSAGE!", flush=True)
            return 1
        last[sender] = count
    return 2


async def main(url, seconds):
    async with websockets.connect(url) as socket:
        sending = asyncio.create_task(send(socket))
        try:
            return await asyncio.wait_for(receive(socket), seconds)
        except asyncio.TimeoutError:
            return 0
        finally:
            sending.cancel()


sys.exit(asyncio.run(main(sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else None)))
