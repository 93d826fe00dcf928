"""
The real channels_redis, driven by a test: requests come as lines of JSON on stdin, answers leave as lines on stdout.

    /usr/bin/python3 python_layer.py core '{"hosts": ["redis://127.0.0.1:6379"]}'

    {"id": 1, "call": "group_send", "args": ["room", {"type": "x"}]}     {"id": 1, "result": null}
    {"id": 2, "call": "receive", "args": ["specific.…!…"]}               {"id": 2, "error": "CancelledError", "message": ""}
    {"cancel": 2}

Calls run side by side, each in a task of its own. `shards` is no call of the layer: [name, …] and the number of hosts give
the index of each name's host. The option client_prefix is no option of the layer: it is set on it, as a process that was forked
after its layer was made has it from its parent.
"""

import asyncio
import json
import sys

from channels_redis.core import RedisChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer
from channels_redis.utils import _consistent_hash


class Calls:
    def __init__(self, layer):
        self.layer = layer
        self.tasks = {}

    def take(self, request):
        if "cancel" in request:
            asyncio.ensure_future(self.cancel(self.tasks[request["cancel"]]))
            return
        task = asyncio.ensure_future(self.answer(request))
        self.tasks[request["id"]] = task

    async def cancel(self, task):
        # redis-py 4.3 swallows a cancellation at times, and the task goes on: then it is cancelled again.
        while not task.done():
            task.cancel()
            await asyncio.sleep(0.2)

    async def answer(self, request):
        answer = {"id": request["id"]}
        try:
            answer["result"] = await self.call(request["call"], request["args"])
        except BaseException as error:
            answer["error"] = type(error).__name__
            answer["message"] = str(error)
        print(json.dumps(answer), flush=True)

    async def call(self, name, args):
        if name == "shards":
            names, hosts = args
            return [_consistent_hash(each, hosts) for each in names]
        return await getattr(self.layer, name)(*args)


async def main(kind, options):
    client_prefix = options.pop("client_prefix", None)
    layer = {"core": RedisChannelLayer, "pubsub": RedisPubSubChannelLayer}[kind](**options)
    if client_prefix is not None:
        layer.client_prefix = client_prefix
    calls = Calls(layer)
    reader = asyncio.StreamReader(limit=2**24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    print(json.dumps({"ready": True}), flush=True)
    while line := await reader.readline():
        calls.take(json.loads(line))


asyncio.run(main(sys.argv[1], json.loads(sys.argv[2])))
