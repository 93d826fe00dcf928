import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { type DjangoServer, startDjango } from './django.js';
import { type PrivateRedis, startRedis } from './redis.js';

let redis: PrivateRedis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis?.stop());

/** A member of a room: what the server tells it of comings and goings, and what it hears of the others. */
class Member {
  readonly #socket: WebSocket;
  readonly #notices: string[] = [];
  readonly #messages: string[] = [];
  #wake: () => void = () => {};

  constructor(url: string, room: string) {
    this.#socket = new WebSocket(`${url}/ws/chat/${room}/`);
    this.#socket.on('message', (data) => {
      const text = data.toString();
      (/^\{"(dis)?connect":/.test(text) ? this.#notices : this.#messages).push(text);
      this.#wake();
    });
  }

  async joined(): Promise<this> {
    await once(this.#socket, 'open');
    return this;
  }

  say(text: string | Buffer): void {
    this.#socket.send(text);
  }

  /** The next notice; waits for it. */
  async sees(): Promise<unknown> {
    return JSON.parse(await this.#next(this.#notices));
  }

  /** The next message; waits for it. */
  hears(): Promise<string> {
    return this.#next(this.#messages);
  }

  async leave(): Promise<void> {
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    this.#socket.close();
    await once(this.#socket, 'close');
  }

  async #next(texts: string[]): Promise<string> {
    while (texts.length === 0)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    return texts.shift() ?? '';
  }
}

describe.each(['daphne', 'uvicorn'] as const)('the Django chat server under %s', (by) => {
  let server: DjangoServer;
  let members: Member[];
  const join = async (room: string) => {
    const member = await new Member(server.url, room).joined();
    members.push(member);
    return member;
  };

  beforeEach(async () => {
    members = [];
    server = await startDjango(redis.url, { by });
  });
  afterEach(async () => {
    await Promise.all(members.map((member) => member.leave()));
    // Now and then a consumer stays behind, still receiving, after its client has gone. Daphne ends it; uvicorn waits
    // for it for ever.
    await server?.stop(by === 'uvicorn' ? 'SIGKILL' : 'SIGTERM');
  });

  it('tells a room who comes, what is said and who goes, and the speaker nothing of its own', async () => {
    const ann = await join('room_a');
    const bob = await join('room_a');
    const cy = await join('room_b');
    const came = (await ann.sees()) as { connect: string };
    expect(came).toEqual({ connect: expect.stringMatching(/^specific\.[0-9a-f]{32}![0-9a-f]{32}$/) });

    const said = '{"my_id": "é",   "count":0}'; // unchanged: spaces and all
    ann.say(said);
    expect(await bob.hears()).toBe(said);
    bob.say(Buffer.from('bytes'));
    expect(await ann.hears()).toBe('bytes'); // not its own text

    await bob.leave();
    expect(await ann.sees()).toEqual({ disconnect: came.connect });
    const dee = await join('room_b');
    dee.say('hello');
    expect(await cy.hears()).toBe('hello'); // and nothing of room_a
  });
});
