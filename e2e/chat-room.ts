/**
 * The recipe that loses messages: clients that stay in two rooms, and clients that come, send for half a second and
 * leave, again and again. What the staying ones receive is written down as a client log.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { ChatClient } from '../clients/chat-client.js';
import { type GapReport, messageLine, readGapReports } from '../clients/gap-report.js';

const ROOMS = ['room_a', 'room_a', 'room_b', 'room_b', 'room_b'];
const CHURNING = ['room_a', 'room_a', 'room_b', 'room_b'];

export interface ChatRoom {
  /** Lines of the client log so far. */
  readonly log: readonly string[];
  /**
   * Waits until a staying client has missed a message for a second: it is lost, not late. Rejects when that takes
   * longer than `withinMs`, or when a client fails.
   */
  lostMessage(withinMs: number): Promise<GapReport>;
  /** Everybody leaves, the churning clients first. Rejects when one of them failed on the way. */
  end(): Promise<void>;
}

/** Fills the rooms of the server at `url` (`ws://127.0.0.1:8000`). */
export async function fillRooms(url: string): Promise<ChatRoom> {
  const log: string[] = [];
  const staying = ROOMS.map((room, i) => new ChatClient({ url, room, name: `${room}-${i}` }));
  for (const client of staying) {
    client.on('received', (message) => log.push(messageLine('recv', message)));
    client.on('sent', (message) => log.push(messageLine('send', message)));
    await client.join();
  }

  const ending = new AbortController();
  const churning = Promise.all(CHURNING.map((room) => churn(url, room, log, ending.signal)));
  churning.catch(() => {}); // end() reports it; until then nobody waits for it
  return {
    log,
    lostMessage: (withinMs) => Promise.race([lostMessage(log, withinMs), churning.then(neverByItself)]),
    async end() {
      ending.abort();
      await churning;
      await Promise.all(staying.map((client) => client.leave()));
    },
  };
}

async function lostMessage(log: readonly string[], withinMs: number): Promise<GapReport> {
  const deadline = Date.now() + withinMs;
  while (Date.now() < deadline) {
    await sleep(250);
    const { gaps } = await readGapReports(log);
    const lost = gaps.find((gap) => Date.parse(String(gap.at)) < Date.now() - 1_000);
    if (lost !== undefined) return lost;
  }
  throw new Error(`no client missed a message in ${withinMs} ms (${log.length} lines of log)`);
}

function neverByItself(): never {
  throw new Error('the churning clients ended before they were told to');
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
