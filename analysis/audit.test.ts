import { describe, expect, it } from 'vitest';
import { audit } from './audit.js';
import { consumerChannel, PubSubScript, published, ROOM } from './testing/scripted-pubsub.js';
import { GROUP, memberOf, PROCESS, QUEUE, ScriptedTrace } from './testing/scripted-trace.js';

const [ANNA, BERT, CARL] = [`${PROCESS}anna`, `${PROCESS}bert`, `${PROCESS}carl`];
const ROOM_B = `${GROUP}b`;

/** Anna and Bert in room a, Carl in room b; two hundred messages in good health, one each 50 ms from 1 s on. */
function healthy(): ScriptedTrace {
  const trace = new ScriptedTrace();
  trace.join(1, 1, ANNA);
  trace.join(2, 1, BERT);
  trace.join(3, 1, CARL, ROOM_B);
  for (let i = 0; i < 200; i++) {
    const member = memberOf('s', i, [ANNA, BERT]);
    trace.groupSend(1000 + i * 50, 1, member);
    trace.receive(1010 + i * 50, 2, member);
  }
  return trace;
}

let connections = 100;

/** A consumer of room b leaves; its receive is cancelled 20 ms later, with a message for `recipients`. */
function cancelled(trace: ScriptedTrace, atMs: number, count: number, recipients = [ANNA, BERT]): void {
  const connection = connections++;
  const member = memberOf('t', count, recipients);
  const guest = `${PROCESS}guest${connection}`;
  trace.join(atMs - 90, 1, guest, ROOM_B);
  trace.leave(atMs - 20, 1, guest, ROOM_B);
  trace.groupSend(atMs - 5, 1, member);
  trace.poll(atMs, connection, member);
  trace.disconnect(atMs + 4, connection);
  trace.restore(atMs + 5, 2);
}

/** Consumers that come and go between and lose nothing. */
function visitors(trace: ScriptedTrace, n: number, everyMs: number): void {
  for (let i = 0; i < n; i++) {
    trace.join(1005 + i * everyMs, 1, `${PROCESS}visitor${i}`, ROOM_B);
    trace.leave(1041 + i * everyMs, 1, `${PROCESS}visitor${i}`, ROOM_B);
  }
}

describe('totals', () => {
  it('count each message once in every queue, and say who took it', () => {
    const trace = healthy();
    cancelled(trace, 12_000, 0);
    trace.says(2, 'redis-py', '5.2.1');
    const other = 'chatspecific.ffffffffffffffffffffffffffffffff!';
    trace.groupSend(15_000, 1, memberOf('s', 500), { queue: other });
    const { totals, fates } = audit(trace);
    expect(totals).toMatchObject({
      total: 202,
      verdicts: { delivered: 200, lost: 1, 'in-flight': 1 },
      causes: { 'popped-then-disconnected': 1 },
      by_queue: [
        { queue: QUEUE, total: 201, verdicts: { delivered: 200, lost: 1 } },
        { queue: other, total: 1, verdicts: { 'in-flight': 1 } },
      ],
      by_process: [{ total: 201 }, { total: 1 }],
      by_client_library: [
        { client_library: 'redis-py 5.2.1', total: 200, verdicts: { delivered: 200 } },
        { client_library: null, total: 1, verdicts: { lost: 1 } },
      ],
      not_taken: 1,
    });
    expect(fates).toHaveLength(202);
    expect(fates.filter(({ verdict }) => verdict === 'lost')).toMatchObject([
      { sender: 't', count: 0, queue: QUEUE, cause: 'popped-then-disconnected' },
    ]);
  });
});

describe('losses by moment', () => {
  it('a quarter of a second apart is one moment, with every room and recipient hit; more is two', () => {
    const trace = healthy();
    cancelled(trace, 12_000, 0);
    cancelled(trace, 12_200, 1, [CARL]);
    cancelled(trace, 12_500, 2);
    const { clusters } = audit(trace);
    expect(clusters).toMatchObject([
      {
        rooms: [GROUP, ROOM_B],
        recipients: [ANNA, BERT, CARL],
        causes: { 'popped-then-disconnected': 2 },
        losses: [
          { count: 0, room: GROUP, recipients_hit: [ANNA, BERT] },
          { count: 1, room: ROOM_B, recipients_hit: [CARL] },
        ],
      },
      { rooms: [GROUP], losses: [{ count: 2 }] },
    ]);
  });

  it('the consumer that had just left is named, and lost nothing; who left later set nothing off', () => {
    const trace = healthy();
    cancelled(trace, 12_000, 0);
    trace.leave(12_010, 1, CARL, ROOM_B);
    const [cluster] = audit(trace).clusters;
    expect(cluster?.departures).toMatchObject([
      {
        channel: `${PROCESS}guest${connections - 1}`,
        group: ROOM_B,
        before_us: 21_000,
        lost_something: false,
      },
    ]);
  });

  it('several that left at once are all named: any of them may be the one', () => {
    const trace = healthy();
    cancelled(trace, 12_000, 0);
    trace.leave(11_990, 1, CARL, ROOM_B);
    const [cluster] = audit(trace).clusters;
    expect(cluster?.departures.map(({ before_us }) => before_us)).toEqual([11_000, 21_000]);
  });

  it('nobody is named for a loss that no pop made', () => {
    const trace = healthy();
    trace.leave(11_990, 1, CARL, ROOM_B);
    trace.watermarkUs = 12_100_000; // nobody has stopped polling
    trace.groupSend(12_000, 1, memberOf('t', 0), { full: 1 });
    expect(audit(trace).clusters).toMatchObject([{ causes: { 'over-capacity': 1 }, departures: [] }]);
  });

  it('processes do not share a moment', () => {
    const trace = healthy();
    trace.groupSend(12_000, 1, memberOf('t', 0), { full: 1 });
    const queue = 'chatspecific.ffffffffffffffffffffffffffffffff!';
    trace.groupSend(12_001, 1, memberOf('t', 0), { full: 1, queue });
    expect(audit(trace).clusters.map(({ queues }) => queues)).toEqual([[QUEUE], [queue]]);
  });
});

describe('minute by minute', () => {
  it('disconnects and cut-off receives side by side', () => {
    const trace = healthy();
    cancelled(trace, 12_000, 0);
    cancelled(trace, 70_000, 1);
    trace.poll(70_100, 7, null, { noReply: true });
    trace.disconnect(70_200, 7); // a pop outstanding
    trace.poll(70_300, 8, null);
    trace.disconnect(70_900, 8); // idle since its reply: not cut off
    trace.poll(71_000, 9, null);
    trace.disconnect(71_002, 9, 'redis');
    trace.watermarkUs = 90_000_000;
    expect(audit(trace).per_minute).toEqual([
      {
        from_us: 0,
        to_us: 60_000_000,
        disconnects: 1,
        closed_with_pop_outstanding: 0,
        closed_with_pop_just_answered: 1,
        closed_by_client: 1,
        losses: 1,
      },
      {
        from_us: 60_000_000,
        to_us: 90_000_000,
        disconnects: 1,
        closed_with_pop_outstanding: 1,
        closed_with_pop_just_answered: 1,
        closed_by_client: 3,
        losses: 1,
      },
    ]);
  });

  it('a connection that was used after its pop was not cut off at it', () => {
    const trace = healthy();
    trace.poll(12_000, 9, null);
    trace.request(12_003, 9, ['PING'], null);
    trace.disconnect(12_006, 9);
    expect(audit(trace).per_minute).toMatchObject([
      { closed_with_pop_just_answered: 0, closed_by_client: 1 },
    ]);
  });
});

describe('the four questions', () => {
  const answers = (trace: ScriptedTrace) => audit(trace).answers;

  /** Three losses, each 20 ms after a departure, among two hundred healthy pops and a visitor now and then. */
  function churning(): ScriptedTrace {
    const trace = healthy();
    trace.groupSend(900, 1, memberOf('b', 0, [CARL]));
    visitors(trace, 10, 900);
    for (const count of [0, 1, 2]) cancelled(trace, 12_000 + count * 1000, count);
    trace.receive(16_000, 2, memberOf('b', 0, [CARL]));
    return trace;
  }

  it('1: they share a queue, shown by the rooms of its messages', () => {
    const [first] = answers(churning());
    expect(first).toMatchObject({
      answered: true,
      figures: {
        losses: 3,
        moments: 3,
        queues_shared_by_rooms: 1,
        losses_in_another_room_than_the_departure: 3,
      },
    });
    expect(first?.answer).toContain(`they share a queue`);
    expect(first?.operations.length).toBe(6); // enqueue and pop of each
  });

  it('1 cannot be answered where all messages are of one room', () => {
    const trace = healthy();
    cancelled(trace, 12_000, 0);
    expect(answers(trace)[0]).toMatchObject({ answered: false });
    expect(answers(trace)[0]?.answer).toContain('no queue that lost something carries messages of more than');
  });

  it('2: lost pops come right after departures, healthy ones do not', () => {
    const [, second] = answers(churning());
    expect(second).toMatchObject({
      answered: true,
      figures: { disconnects: 13, compared: 3, other_pops: 201, departed_who_lost_something: 0 },
    });
    expect(second?.answer).toContain('Because a disconnect cancels the receive');
    expect(second?.answer).toContain('loses nothing itself');
  });

  it('2 is not answered by chance: where somebody leaves all the time, one has always just left', () => {
    const trace = healthy();
    visitors(trace, 300, 33);
    for (const count of [0, 1, 2]) {
      const member = memberOf('t', count, [ANNA, BERT]);
      trace.groupSend(2002 + count * 1000, 1, member);
      trace.poll(2004 + count * 1000, 100 + count, member);
      trace.disconnect(2006 + count * 1000, 100 + count);
    }
    const [, second] = answers(trace);
    expect(second).toMatchObject({ answered: false, figures: { compared: 3 } });
    expect(second?.answer).toContain('may as well be chance');
  });

  it('2 and 3 cannot be answered where nobody left, 2 not where nothing was lost', () => {
    const [, second, third] = answers(healthy());
    expect([second?.answer, third?.answer]).toEqual(
      Array(2).fill('This trace cannot answer it: nobody left a group in this trace.'),
    );
    const quiet = healthy();
    visitors(quiet, 3, 900);
    expect(answers(quiet)[1]?.answer).toContain('no message was lost by a pop');
  });

  it('3: yes, where connections are closed around their pops right after departures', () => {
    const [, , third] = answers(churning());
    expect(third).toMatchObject({
      answered: true,
      figures: { disconnects: 13, closed_with_pop_outstanding: 0, closed_with_pop_just_answered: 3 },
    });
    expect(third?.answer).toMatch(/^Yes/);
    expect(third?.operations).toHaveLength(6); // the ZREM and the pop of each
  });

  it('3: no, where clients leave and no connection closes around a pop', () => {
    const trace = healthy();
    visitors(trace, 3, 900);
    expect(answers(trace)[2]?.answer).toMatch(/^No: 0 connections/);
  });

  it('3: no, where the process ended: its last poll ends with it, and it receives no more', () => {
    const trace = healthy();
    visitors(trace, 3, 900);
    trace.poll(30_000, 2, null, { noReply: true });
    trace.disconnect(31_000, 2);
    expect(answers(trace)[2]?.answer).toContain('it had ended');
  });

  it('4 needs another run, and says which command makes it', () => {
    const fourth = answers(churning())[3];
    expect(fourth).toMatchObject({
      answered: false,
      figures: { losses: 3, popped_before_they_were_lost: 3 },
    });
    expect(fourth?.answer).toContain('gaptrace compare');
  });

  it('messages of the pub/sub layer have their fates, too; what no pop had is not said to have been popped', () => {
    const script = new PubSubScript(new ScriptedTrace(), 2);
    const [anna, bert] = [consumerChannel('anna'), consumerChannel('bert')];
    script.subscribe(10, 2, [anna, ROOM]);
    script.subscribe(20, 3, [bert, ROOM]);
    script.publish(100, published('s', 0), 2);
    for (const connection of [2, 3]) script.heard(101, connection, published('s', 0));
    script.trace.disconnect(900, 3, 'redis');
    script.publish(1000, published('s', 1), 1);
    script.heard(1001, 2, published('s', 1));
    script.subscribe(1900, 4, [bert, ROOM]);
    const report = audit(script.trace);
    expect(report.totals).toMatchObject({
      verdicts: { delivered: 1, lost: 1 },
      causes: { 'resubscribe-gap': 1 },
    });
    expect(report.clusters).toMatchObject([{ rooms: [ROOM], departures: [] }]);
    expect(report.answers[3]?.figures).toEqual({ losses: 1, popped_before_they_were_lost: 0 });
  });

  it('a trace of nothing answers nothing, and does not fail', () => {
    const report = audit(new ScriptedTrace());
    expect(report.answers.map(({ answered }) => answered)).toEqual([false, false, false, false]);
    expect(report).toMatchObject({ totals: { total: 0 }, clusters: [], hints: [], fates: [] });
  });
});
