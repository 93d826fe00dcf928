"""
The chat server under observation: WebSocket rooms on Django Channels, in one file.

It is the system in which messages go missing: an ordinary consumer on channels_redis' core layer, with nothing in it
to provoke a loss. `gaptrace server` (server/chat.ts) is the same in TypeScript: on one Redis they serve the same rooms.
Started as any ASGI application, with Debian's own Python (`make run_daphne`, `make run_uvicorn`):

    cd server/django && REDIS_URL=redis://127.0.0.1:6380 /usr/bin/python3 -m daphne -b 127.0.0.1 -p 8000 asgi:application

    LAYER               core: channels_redis' queues; pubsub: channels_redis.pubsub; memory: no Redis (core)
    REDIS_URL           where the layer finds Redis, or gaptrace proxy (redis://127.0.0.1:6379)
    LAYER_PREFIX        what its keys begin with (gaptrace)
    LAYER_CAPACITY      messages that a channel holds before it is full (1000); pubsub has no such bound
    LAYER_EXPIRY        seconds that a message waits at most (60); pubsub keeps none
    LAYER_GROUP_EXPIRY  seconds that a client is a member of its room at most (86400); pubsub knows none

A client at /ws/chat/<room>/ hears what the room's other members send, unchanged, and {"connect": channel} and
{"disconnect": channel} when one comes or goes.
"""

import json
import os
import sys

import django
from django.conf import settings


def seconds_or_messages(name, default):
    """A whole number, 1 or more, from the environment."""
    text = os.environ.get(name, default)
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        sys.exit(f"{name} is {text!r}: it takes a whole number, 1 or more")
    return int(text)


def layer_by_environment():
    """The channel layer that LAYER names, as CHANNEL_LAYERS has it."""
    layer = os.environ.get("LAYER", "core")
    hosts = {
        "hosts": [os.environ.get("REDIS_URL", "redis://127.0.0.1:6379")],
        "prefix": os.environ.get("LAYER_PREFIX", "gaptrace"),
    }
    limits = {
        "capacity": seconds_or_messages("LAYER_CAPACITY", "1000"),
        "expiry": seconds_or_messages("LAYER_EXPIRY", "60"),
        "group_expiry": seconds_or_messages("LAYER_GROUP_EXPIRY", "86400"),
    }
    if layer == "core":
        return {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": hosts | limits}
    if layer == "pubsub":
        return {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": hosts}
    if layer == "memory":
        return {"BACKEND": "channels.layers.InMemoryChannelLayer", "CONFIG": limits}
    sys.exit(f"LAYER is {layer!r}: it takes core, pubsub or memory")


settings.configure(
    SECRET_KEY="no sessions, no cookies, nothing to sign",
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    INSTALLED_APPS=["channels"],
    CHANNEL_LAYERS={"default": layer_by_environment()},
)
django.setup()

# Channels reads the settings when it is imported, so it comes after them.
from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.urls import re_path  # noqa: E402


class Chat(AsyncWebsocketConsumer):
    """One client in one room."""

    async def connect(self):
        self.group = "channels_group_" + self.scope["url_route"]["kwargs"]["room"]
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()
        await self.tell_others(text_data=json.dumps({"connect": self.channel_name}))

    async def disconnect(self, code):
        await self.channel_layer.group_discard(self.group, self.channel_name)
        await self.tell_others(text_data=json.dumps({"disconnect": self.channel_name}))

    async def receive(self, text_data=None, bytes_data=None):
        await self.tell_others(text_data, bytes_data)

    async def tell_others(self, text_data=None, bytes_data=None):
        await self.channel_layer.group_send(
            self.group,
            {
                "type": "chat_send",
                "text_data": text_data,
                "bytes_data": bytes_data,
                "sender_channel_name": self.channel_name,
            },
        )

    async def chat_send(self, message):
        """A message of the group has come; the sender is in its own group and is passed over."""
        if message["sender_channel_name"] != self.channel_name:
            await self.send(text_data=message["text_data"], bytes_data=message["bytes_data"])


application = ProtocolTypeRouter(
    {"websocket": URLRouter([re_path(r"^ws/chat/(?P<room>[A-Za-z0-9_.-]{1,80})/$", Chat.as_asgi())])}
)
