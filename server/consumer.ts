/**
 * One client in one room, on a channel layer: connect, receive, disconnect. It knows no WebSocket; client.ts brings it frames and takes what
 * is for the client.
 *
 * It is the consumer of server/django/asgi.py, message for message, so that processes of both kinds serve one room together:
 * the group is `channels_group_<room>`, a message `{type: "chat_send", text_data, bytes_data, sender_channel_name}`, and the sender, who is
 * in its own group, passes over what is its own. What a client says is handed on unchanged and never looked into: malformed JSON
 * is a message like any other.
 *
 * As there, what a client says goes out one after the other, its leaving behind all that it has said; and the channel is read from before
 * the group is joined until after the others were told that the client has left. What happens to the receive that is cancelled then is
 * the subject of this project (layers/receive-channels-redis.ts).
 */
import type { ChannelLayer, Message } from './layers/layer.js';

/** What a client says, or is told: a text frame or a binary one. */
export type Frame = { readonly text: string } | { readonly bytes: Uint8Array };

export interface ConsumerEvents {
  /** Something for the client. */
  deliver(frame: Frame): void;
  /** The layer failed it, or a bug did: the consumer hears nothing any more. At most once, between `connect` and `disconnect`. */
  failed(error: unknown): void;
  /** A message of the group that is none of a chat: it was passed over. */
  notUnderstood(message: Message): void;
}

/** The group of a room's members. */
export function groupOf(room: string): string {
  return `channels_group_${room}`;
}

export class Consumer {
  readonly #group: string;
  readonly #gone = new AbortController();
  /** Ends when all that the client has said so far has gone out. */
  #said: Promise<void> = Promise.resolve();
  #channel = '';
  #reading: Promise<void> = Promise.resolve();
  #accepted: () => void = () => {};
  readonly #whenAccepted = new Promise<void>((resolve) => {
    this.#accepted = resolve;
  });
  #connected = false;
  #failure: unknown;
  #leaving = false;

  constructor(
    private readonly layer: ChannelLayer,
    room: string,
    private readonly events: ConsumerEvents,
  ) {
    this.#group = groupOf(room);
  }

  /** The name under which the others know it; empty before `connect`. */
  get channel(): string {
    return this.#channel;
  }

  /** Joins the room. Rejects as the layer does; nothing is left behind then. */
  async connect(): Promise<void> {
    this.#channel = await this.layer.newChannel();
    this.#reading = this.#read();
    try {
      await this.join();
      if (this.#failure !== undefined) throw this.#failure;
    } catch (error) {
      this.#leaving = true;
      await this.#stopReading();
      throw error;
    }
    this.#connected = true;
  }

  /** Puts it into the group, again if need be: a Redis that came back empty has forgotten it. */
  join(): Promise<void> {
    return this.layer.groupAdd(this.#group, this.#channel);
  }

  /** The client is there: it gets what has come for it so far, and the others are told. */
  accept(): void {
    this.#accepted();
    void this.#say(`{"connect": "${this.#channel}"}`, null);
  }

  /** Resolves when what the client says has gone to the room, or failed (`failed` was called then). Never rejects. */
  receive(frame: Frame): Promise<void> {
    return 'text' in frame ? this.#say(frame.text, null) : this.#say(null, frame.bytes);
  }

  /** Leaves the room and tells the others, behind all that the client has said. Can be called twice. Never rejects. */
  async disconnect(): Promise<void> {
    if (!this.#leaving) {
      this.#leaving = true;
      this.#accepted();
      this.#said = this.#said.then(() => this.#leave());
    }
    await this.#said;
  }

  async #leave(): Promise<void> {
    try {
      await this.layer.groupDiscard(this.#group, this.#channel);
      await this.#tell(`{"disconnect": "${this.#channel}"}`, null);
    } catch {
      // The membership ends with the group's expiry. There is nobody left to tell.
    }
    await this.#stopReading();
  }

  async #stopReading(): Promise<void> {
    this.#accepted();
    this.#gone.abort(new Error('the client has gone'));
    await this.#reading;
  }

  #say(text: string | null, bytes: Uint8Array | null): Promise<void> {
    if (this.#leaving) return this.#said;
    this.#said = this.#said.then(async () => {
      if (this.#failure !== undefined) return;
      await this.#tell(text, bytes).catch((error: unknown) => this.#fail(error));
    });
    return this.#said;
  }

  /** The keys in the order in which Python puts them: the bytes on the wire are the same. */
  #tell(text: string | null, bytes: Uint8Array | null): Promise<void> {
    return this.layer.groupSend(this.#group, {
      type: 'chat_send',
      text_data: text,
      bytes_data: bytes,
      sender_channel_name: this.#channel,
    });
  }

  async #read(): Promise<void> {
    const { signal } = this.#gone;
    try {
      for (;;) {
        const message = await this.layer.receive(this.#channel, { signal });
        await this.#whenAccepted;
        this.#hand(message);
      }
    } catch (error) {
      if (!signal.aborted) this.#fail(error);
    }
  }

  #hand(message: Message): void {
    if (message.sender_channel_name === this.#channel || this.#leaving) return;
    const { type, text_data: text, bytes_data: bytes } = message;
    // Django finds the method by the type with dots made underscores.
    const known = type === 'chat_send' || type === 'chat.send';
    if (known && typeof text === 'string') this.events.deliver({ text });
    else if (known && bytes instanceof Uint8Array) this.events.deliver({ bytes });
    else this.events.notUnderstood(message);
  }

  #fail(error: unknown): void {
    if (this.#failure !== undefined || this.#leaving) return;
    this.#failure = error;
    if (this.#connected) this.events.failed(error);
  }
}
