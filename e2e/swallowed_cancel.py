"""
Cancels a pop at each of the first turns of the event loop that it takes, with redis-py alone, and prints the turns at which the
cancellation was swallowed, as JSON: the pop went on to its end as if nobody had cancelled it.

    /usr/bin/python3 swallowed_cancel.py redis://127.0.0.1:6379
"""

import asyncio
import json
import sys

import redis.asyncio

TURNS = 8


async def swallowed_at(url, turns):
    """True when a pop that is cancelled after so many turns ends without a CancelledError."""
    client = redis.asyncio.Redis.from_url(url)
    await client.ping()  # so that a pooled connection is there
    pop = asyncio.ensure_future(client.bzpopmin("a queue in which nothing ever is", timeout=1))
    for _ in range(turns):
        await asyncio.sleep(0)
    pop.cancel()
    try:
        await pop
        return True
    except asyncio.CancelledError:
        return False
    finally:
        await client.connection_pool.disconnect()


async def main():
    print(json.dumps([turns for turns in range(TURNS) if await swallowed_at(sys.argv[1], turns)]))


asyncio.run(main())
