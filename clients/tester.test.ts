import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { WebSocket } from 'ws';
import type { GapReport } from './gap-report.js';
import { runTester, type TesterOptions, type TesterSummary } from './tester.js';
import { TestChatServer } from './testing/chat-server.js';

// With the server of the tests: what it says to the tester is the script of each test.
let server: TestChatServer;
beforeEach(async () => {
  server = await TestChatServer.start();
});
afterEach(() => server.stop());

interface Tested {
  readonly summary: TesterSummary;
  readonly gaps: readonly GapReport[];
  readonly texts: readonly string[];
  readonly kinds: readonly string[];
}

/** Runs a tester to which the server says these counts of one sender at once, and then does `then`. */
async function test(
  counts: readonly number[],
  then: (socket: WebSocket) => void,
  options: Partial<TesterOptions> = {},
): Promise<Tested> {
  server.onJoin = (socket) => {
    for (const count of counts) socket.send(JSON.stringify({ my_id: 's', count }));
    then(socket);
  };
  const gaps: GapReport[] = [];
  const texts: string[] = [];
  const kinds: string[] = [];
  const summary = await runTester({
    ...{ url: server.url, room: 'r', name: 'tester', patienceUs: 50_000 },
    onGap: (gap) => gaps.push(gap),
    onMessage: (message, text) => {
      kinds.push(message.kind);
      texts.push(text);
    },
    ...options,
  });
  return { summary, gaps, texts, kinds };
}

const bye = (socket: WebSocket): void => socket.close(1001, 'good night');

describe('a tester', () => {
  it('ends at a gap', async () => {
    const { summary, gaps, texts } = await test([3, 4, 7], () => {});
    const gap = { client: 'tester', room: 'r', sender: 's', expected: 5, received: 7, missing: [5, 6] };
    expect(gaps).toMatchObject([gap]);
    expect(summary).toMatchObject({
      ended: 'gap',
      received: 3,
      lost: [gap],
      undecided: [],
      failure: undefined,
    });
    expect(texts[2]).toBe('{"my_id":"s","count":7}');
    await server.empty();
  });

  it('waits for what is late, and goes on when it comes', async () => {
    const { summary, gaps } = await test([0, 2, 1], (socket) => setTimeout(() => bye(socket), 200));
    expect(gaps).toEqual([]);
    expect(summary).toMatchObject({ ended: 'closed', lost: [], undecided: [], reorderings: 1 });
  });

  it('goes on after a gap when it is told to', async () => {
    const { summary, gaps } = await test([0, 2, 2, 4], (socket) => setTimeout(() => bye(socket), 300), {
      keepGoing: true,
    });
    expect(gaps.map(({ missing }) => missing)).toEqual([[1], [3]]);
    expect(summary).toMatchObject({ ended: 'closed', lost: gaps, duplicates: 1, received: 4 });
  });

  it('does not call lost what was missing for a moment when the end came', async () => {
    const { summary, gaps } = await test([0, 2], bye, { patienceUs: 60_000_000 });
    expect(gaps).toEqual([]);
    expect(summary).toMatchObject({ lost: [], undecided: [{ missing: [1] }] });
  });

  it('says how the server ended it', async () => {
    const { summary } = await test([], bye);
    expect(summary).toMatchObject({
      ended: 'closed',
      failure: {
        code: 'GAPTRACE_CHAT_CLOSED',
        message: expect.stringMatching(/: 1001 \(going away\): good night$/),
      },
    });
  });

  it('takes note of what is no chat message, and of a count that cannot be one', async () => {
    const { summary, kinds, texts } = await test([1, 5_000_000_000, 2], (socket) => {
      socket.send('{"my_id"');
      socket.send(Buffer.from([255]));
      socket.send('{"connect":"specific.a!b"}');
      bye(socket);
    });
    expect(kinds).toEqual(['counted', 'unknown', 'counted', 'unknown', 'unknown', 'came']);
    expect(texts[3]).toBe('{"my_id"');
    expect(summary).toMatchObject({ received: 2, lost: [], undecided: [] });
  });

  it('sends its own counts, and stops when it is told to', async () => {
    const stop = new AbortController();
    const sent: unknown[] = [];
    const { summary } = await test(
      [],
      (socket) =>
        socket.on('message', (data) => {
          if (sent.push(JSON.parse(String(data)).count) === 3) stop.abort();
        }),
      { rate: 200, signal: stop.signal },
    );
    expect(sent.slice(0, 3)).toEqual([0, 1, 2]);
    expect(summary).toMatchObject({ ended: 'stopped', failure: undefined });
    expect(summary.sent).toBeGreaterThan(2);
    await server.empty();
  });

  it('that was stopped before it began has done nothing', async () => {
    const { summary } = await test([], () => {}, { signal: AbortSignal.abort() });
    expect(summary).toMatchObject({ ended: 'stopped', sent: 0, received: 0 });
    expect(server.members).toEqual([]);
  });

  it('ends with the error of a callback, and leaves the room', async () => {
    const full = new Error('disk full');
    const failing = test([0, 2], () => {}, {
      onGap: () => {
        throw full;
      },
    });
    await expect(failing).rejects.toBe(full);
    await server.empty();
  });

  it('that cannot join says so', async () => {
    server.refuse = () => 404;
    await expect(test([], () => {})).rejects.toMatchObject({
      code: 'GAPTRACE_CHAT_CONNECT',
      message: expect.stringContaining('HTTP 404 (Not Found)'),
    });
  });
});
