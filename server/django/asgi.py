"""
The chat server under observation: WebSocket rooms on Django Channels, in one file.

It is the system in which messages go missing: an ordinary consumer on channels_redis' core layer, with nothing in it
to provoke a loss. Started as any ASGI application, with Debian's own Python:

    cd server/django && REDIS_URL=redis://127.0.0.1:6380 /usr/bin/python3 -m daphne -b 127.0.0.1 -p 8000 asgi:application

    REDIS_URL        where the layer finds Redis, or gaptrace proxy (redis://127.0.0.1:6379)
    LAYER_PREFIX     what its keys begin with (gaptrace)
    LAYER_CAPACITY   messages that a queue holds before it is full (1000)
    LAYER_EXPIRY     seconds that a message waits at most (60)

A client at /ws/chat/<room>/ hears what the room's other members send, unchanged, and {"connect": channel} and
{"disconnect": channel} when one comes or goes.
"""

import json
import os

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="no sessions, no cookies, nothing to sign",
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    INSTALLED_APPS=["channels"],
    CHANNEL_LAYERS={
        "default": {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            "CONFIG": {
                "hosts": [os.environ.get("REDIS_URL", "redis://127.0.0.1:6379")],
                "prefix": os.environ.get("LAYER_PREFIX", "gaptrace"),
                "capacity": int(os.environ.get("LAYER_CAPACITY", "1000")),
                "expiry": int(os.environ.get("LAYER_EXPIRY", "60")),
            },
        }
    },
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
