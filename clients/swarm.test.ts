import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventLine } from './client-log.js';
import { readGapReports } from './gap-report.js';
import { runSwarm, type SwarmEvent, type SwarmOptions, type SwarmSummary } from './swarm.js';
import { type Delivery, TestChatServer } from './testing/chat-server.js';

// With the server of the tests, because no real one loses the message that a test has in mind. e2e/ has the real ones.
let server: TestChatServer;
beforeEach(async () => {
  server = await TestChatServer.start();
});
afterEach(() => server.stop());

const SMALL = { rooms: [{ room: 'a', clients: 2 }], churn: 0, rate: 100, patienceUs: 100_000 } as const;

async function swarm(
  options: Partial<SwarmOptions>,
): Promise<{ readonly summary: SwarmSummary; readonly events: readonly SwarmEvent[] }> {
  const events: SwarmEvent[] = [];
  const summary = await runSwarm({
    ...{ url: server.url, seed: 1, ...SMALL },
    onEvent: (event) => events.push(event),
    ...options,
  });
  return { summary, events };
}

/** Does something else with the deliveries of one count to the first client of a room. */
function treating(count: number, treatment: readonly number[]): (delivery: Delivery) => readonly number[] {
  return (delivery) => (delivery.count === count && delivery.to === 0 ? treatment : [0]);
}

describe('a swarm', () => {
  it('whose server loses nothing says so, and has logged everything that happened', async () => {
    const { summary, events } = await swarm({
      ...{
        rooms: [
          { room: 'a', clients: 2 },
          { room: 'b', clients: 3 },
        ],
      },
      ...{ churn: 1, lifetimeUs: 100_000, forUs: 1_000_000 },
    });
    expect(summary).toMatchObject({ ended: 'time', errors: 0, failure: undefined, gaps: [] });
    expect(summary.total).toMatchObject({ gaps: 0, missed: 0, duplicates: 0, reorderings: 0, unheard: 0 });
    // More, where something was sent while a client joined: it was a member before it knew.
    expect(summary.total.received).toBeGreaterThanOrEqual(summary.total.addressed);
    expect(summary.total.addressed).toBeGreaterThan(0);
    expect(summary.rooms.map(({ room }) => room)).toEqual(['a', 'b']);

    const of = (kind: SwarmEvent['event']) => events.filter(({ event }) => event === kind).length;
    expect(events[0]).toMatchObject({ event: 'swarm', seed: 1, lifetime_us: 100_000, churn: 1 });
    expect(of('start')).toBe(summary.clients);
    expect(summary.churned).toBe(summary.clients - 5);
    expect(summary.churned).toBeGreaterThan(2);
    expect(of('stop')).toBe(of('start'));
    expect(of('send')).toBe(summary.total.sent);
    expect(of('recv')).toBe(summary.total.received);
    expect(server.members).toEqual([]); // nobody is left behind

    const log = await readGapReports(events.map(eventLine));
    expect(log.gaps).toEqual([]);
    expect(log.sent).toHaveLength(summary.total.sent);
    expect(log.received).toHaveLength(summary.total.received);
  });

  it('ends at the first gap when it is told to, and its log says which', async () => {
    server.treat = treating(5, []);
    const { summary, events } = await swarm({ untilGap: true, forUs: 60_000_000 });
    expect(summary).toMatchObject({ ended: 'gap', total: { gaps: 1, missed: 1, lost: 1, hit: 1 } });
    const gap = { room: 'a', expected: 5, received: 6, missing: [5] };
    expect(summary.gaps).toMatchObject([gap]);
    const { gaps } = await readGapReports(events.map(eventLine));
    expect(gaps).toEqual(summary.gaps);
    expect(events.filter(({ event }) => event === 'gap')).toMatchObject([gap]);
  });

  it('goes on after a gap when it is not', async () => {
    let dropped = 0;
    server.treat = ({ count, to }) => {
      if (to !== 0 || count % 10 !== 5) return [0];
      dropped++;
      return [];
    };
    const { summary } = await swarm({ forUs: 800_000 });
    expect(summary.ended).toBe('time');
    expect(summary.total.gaps).toBeGreaterThan(2);
    expect(summary.total.hit).toBe(1);
    expect(summary.total.missed + summary.total.unheard).toBe(dropped); // the last one may be the last of all
  });

  it('calls late what comes late, and a repeat a repeat', async () => {
    server.treat = (delivery) => treating(5, [30])(delivery).concat(treating(8, [0, 0])(delivery).slice(1));
    const { summary } = await swarm({ untilGap: true, forUs: 700_000, patienceUs: 10_000_000 });
    expect(summary).toMatchObject({ ended: 'time', gaps: [] });
    expect(summary.total).toMatchObject({ reorderings: 1, duplicates: 1, undecided: 0, unheard: 0 });
  });

  it('takes back a gap that closes after it was reported', async () => {
    server.treat = treating(5, [1_000]);
    const { summary, events } = await swarm({ forUs: 1_600_000, patienceUs: 20_000 });
    expect(events.filter(({ event }) => event === 'gap')).toHaveLength(1);
    expect(summary).toMatchObject({ gaps: [], total: { gaps: 0, missed: 0, reorderings: 1 } });
  });

  it('waits at the end for what is on its way', async () => {
    server.treat = () => [700];
    const { summary } = await swarm({ forUs: 500_000 });
    expect(summary.total).toMatchObject({ gaps: 0, undecided: 0, unheard: 0 });
    expect(summary.total.addressed).toBeGreaterThan(0);
  });

  it('does not call a gap what nobody can see: the last words of a sender', async () => {
    let dropped = 0;
    server.treat = ({ count, to }) => {
      if (to !== 0 || count < 5) return [0];
      dropped++;
      return [];
    };
    const { summary } = await swarm({ forUs: 600_000 });
    expect(summary.total).toMatchObject({ gaps: 0, missed: 0, unheard: dropped });
    expect(dropped).toBeGreaterThan(0);
  });

  it('passes over strangers in its rooms, and takes note of what is no chat message', async () => {
    server.onJoin = (socket) => {
      for (const text of [
        '{"my_id":"stranger","count":4}',
        '{"my_id":"stranger","count":5}',
        'nonsense',
        '[]',
      ])
        socket.send(text);
      socket.send(Buffer.from([0, 1, 2]));
      socket.send('{"connect":"specific.a!b"}');
    };
    const { summary, events } = await swarm({ forUs: 400_000 });
    expect(summary).toMatchObject({ ended: 'time', errors: 6, total: { gaps: 0, unheard: 0 } });
    expect(events.filter((event) => event.event === 'recv' && event.sender === 'stranger')).toHaveLength(4);
    expect(new Set(events.flatMap((event) => (event.event === 'error' ? [event.error] : [])))).toEqual(
      new Set([
        'a message that is not JSON',
        'a message that is not a JSON object',
        'a binary message of 3 bytes',
      ]),
    );
  });

  it('ends with a summary when a client that stays is thrown out', async () => {
    server.onJoin = (socket, _, nth) => {
      if (nth === 1) socket.once('message', () => socket.close(1013, 'too many'));
    };
    const { summary } = await swarm({ forUs: 60_000_000 });
    expect(summary).toMatchObject({
      ended: 'failed',
      failure: {
        code: 'GAPTRACE_CHAT_CLOSED',
        message: expect.stringContaining('1013 (try again later): too many'),
      },
    });
    expect(server.members).toEqual([]);
  });

  it('goes on when churners are thrown out', async () => {
    server.onJoin = (socket, _, nth) => {
      if (nth >= 2) socket.close(1008, 'no churning');
    };
    const { summary } = await swarm({ churn: 1, lifetimeUs: 50_000, forUs: 800_000 });
    expect(summary).toMatchObject({ ended: 'time', gaps: [], total: { unheard: 0 } });
    expect(summary.errors).toBeGreaterThan(2);
    expect(summary.errors).toBeLessThanOrEqual(summary.churned); // the last ones may have left by themselves
  });

  it('stops when it is told to, with a summary', async () => {
    const stop = new AbortController();
    const { summary } = await swarm({
      churn: 1,
      signal: stop.signal,
      onProgress: ({ sent }) => {
        if (sent > 5) stop.abort();
      },
    });
    expect(summary).toMatchObject({ ended: 'stopped', errors: 0, total: { gaps: 0, unheard: 0 } });
    expect(summary.total.sent).toBeGreaterThan(5);
    expect(server.members).toEqual([]);
    const { summary: again } = await swarm({ signal: stop.signal });
    expect(again).toMatchObject({ ended: 'stopped', total: { sent: 0 } });
  });
});

describe('a swarm that cannot join', () => {
  it('says so, and leaves nobody behind', async () => {
    server.refuse = (nth) => (nth === 2 ? 503 : undefined);
    const failure = await swarm({ rooms: [{ room: 'a', clients: 5 }] }).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: 'GAPTRACE_CHAT_CONNECT',
      message: expect.stringContaining('HTTP 503 (Service Unavailable)'),
    });
    await server.empty();
  });

  it('because nobody listens', async () => {
    const failure = await swarm({ url: 'ws://127.0.0.1:1' }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'GAPTRACE_CHAT_CONNECT', exitStatus: 2 });
  });

  it('because that is no URL, before it tries', async () => {
    const failure = await swarm({ url: 'room_a' }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'GAPTRACE_CHAT_URL' });
  });

  it('because the server does not answer; and it can be stopped while it waits', async () => {
    const silent = createServer(() => {}).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const url = `ws://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    try {
      const failure = await swarm({ url, answerWithinMs: 100 }).catch((error: unknown) => error);
      expect(failure).toMatchObject({ message: expect.stringContaining('did not answer within 0.1 s') });
      const stop = new AbortController();
      once(silent, 'connection').then(() => stop.abort());
      const { summary } = await swarm({ url, signal: stop.signal });
      expect(summary).toMatchObject({ ended: 'stopped', clients: 0, errors: 0 });
    } finally {
      silent.close();
    }
  });
});
