/**
 * The recipe that loses messages: clients that stay in two rooms, and clients that come, send for half a second and
 * leave, again and again. What the staying ones receive is written down as a client log.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { ChatClient } from '../clients/chat-client.js';
import { type GapReport, messageLine } from '../clients/gap-report.js';

const ROOMS = ['room_a', 'room_a', 'room_b', 'room_b', 'room_b'];
const CHURNING = ['room_a', 'room_a', 'room_b', 'room_b'];

export interface ChatRoom {
  /** Lines of the client log so far. */
  readonly log: readonly string[];
  /** The first gap that a staying client sees. */
  readonly firstGap: Promise<GapReport>;
  /** Everybody leaves, the churning clients first. Rejects when one of them failed on the way. */
  end(): Promise<void>;
}

/** Fills the rooms of the server at `url` (`ws://127.0.0.1:8000`). */
export async function fillRooms(url: string): Promise<ChatRoom> {
  const log: string[] = [];
  let gapSeen: (gap: GapReport) => void = () => {};
  const firstGap = new Promise<GapReport>((resolve) => {
    gapSeen = resolve;
  });
  const staying = ROOMS.map((room, i) => new ChatClient({ url, room, name: `${room}-${i}` }));
  for (const client of staying) {
    client.on('received', (message) => log.push(messageLine('recv', message)));
    client.on('sent', (message) => log.push(messageLine('send', message)));
    client.on('gap', gapSeen);
    await client.join();
  }

  const ending = new AbortController();
  const churning = Promise.all(CHURNING.map((room) => churn(url, room, log, ending.signal)));
  churning.catch(() => {}); // end() reports it; until then nobody waits for it
  return {
    log,
    firstGap,
    async end() {
      ending.abort();
      await churning;
      await Promise.all(staying.map((client) => client.leave()));
    },
  };
}

async function churn(url: string, room: string, log: string[], ending: AbortSignal): Promise<void> {
  while (!ending.aborted) {
    const client = new ChatClient({ url, room });
    client.on('sent', (message) => log.push(messageLine('send', message)));
    await client.join();
    await sleep(300 + Math.random() * 400);
    await client.leave();
  }
}
