/**
 * A chat server for tests that can be told what to do with each delivery. It stands for the real ones only where they cannot be
 * made to do it: lose, delay or repeat the message that the test names, close a connection with a given code, say nonsense.
 */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

export interface Delivery {
  readonly room: string;
  readonly sender: string;
  readonly count: number;
  /** Position of the recipient among those who ever joined this room, from 0. */
  readonly to: number;
}

/** What becomes of a delivery: how often and after how many milliseconds each time it comes. `[0]` is the usual. */
export type Treatment = (delivery: Delivery) => readonly number[];

export class TestChatServer {
  readonly url: string;
  /** Connections that are open. */
  readonly members: { readonly socket: WebSocket; readonly room: string; readonly nth: number }[] = [];
  treat: Treatment = () => [0];
  /** Called with each new connection. */
  onJoin: (socket: WebSocket, room: string, nth: number) => void = () => {};
  /** The HTTP status to refuse the nth connection with, from 0. */
  refuse: (nth: number) => number | undefined = () => undefined;
  readonly #server: WebSocketServer;
  #asked = 0;
  readonly #joined = new Map<string, number>();

  static async start(): Promise<TestChatServer> {
    const chat: { server?: TestChatServer } = {};
    const server = new WebSocketServer({
      ...{ host: '127.0.0.1', port: 0 },
      verifyClient: (_, decide) => {
        const status = chat.server?.refuse(chat.server.#asked++);
        decide(status === undefined, status);
      },
    });
    await once(server, 'listening');
    chat.server = new TestChatServer(server);
    return chat.server;
  }

  private constructor(server: WebSocketServer) {
    this.#server = server;
    this.url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('connection', (socket, { url }) => this.#join(socket, url?.split('/')[3] ?? ''));
  }

  /** Resolves when nobody is connected any more. */
  async empty(): Promise<void> {
    while (this.members.length > 0) await once(this.members[0]?.socket as WebSocket, 'close');
  }

  async stop(): Promise<void> {
    for (const socket of this.#server.clients) socket.terminate();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(socket: WebSocket, room: string): void {
    const nth = this.#joined.get(room) ?? 0;
    this.#joined.set(room, nth + 1);
    const member = { socket, room, nth };
    this.members.push(member);
    socket.on('error', () => {});
    socket.on('close', () => this.members.splice(this.members.indexOf(member), 1));
    socket.on('message', (data) => {
      for (const other of this.members)
        if (other.room === room && other !== member) this.#deliver(other, data.toString());
    });
    this.onJoin(socket, room, nth);
  }

  #deliver({ socket, room, nth }: (typeof this.members)[number], text: string): void {
    const { my_id: sender, count } = JSON.parse(text) as { my_id: string; count: number };
    for (const afterMs of this.treat({ room, sender, count, to: nth }))
      if (afterMs === 0) socket.send(text);
      else setTimeout(() => socket.send(text), afterMs);
  }
}
