import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { PythonError, type PythonLayer } from './python-layer.js';
import { counted, queueOf, type Reproduced, reproduce, type Stage, until } from './reproduced.js';

// What happens to a message before its pop, and in its backup: each loss made on purpose on real Redis, through the real proxy, by real
// channels_redis 4.0.0 (redis-py 4.3.4) except where a test names a scripted client; and each innocent twin, which looks like it and is not.

/** Longer than a poll of channels_redis (5 s) and the work after it: what shows that nobody polls any more. */
const LONGER_THAN_A_POLL_MS = 6_500;

/** The only judgement on a message. */
function only(reproduced: Reproduced, count: number) {
  const judged = Object.values(reproduced.of(count));
  expect(judged, `judgements on message ${count}`).toHaveLength(1);
  return judged[0]!;
}

/** Two processes with a channel each in one group; the second sends. */
async function twoInRoom({ python }: Stage, options: object) {
  const [slow, quick] = [await python(options), await python(options)];
  const [a, b] = [await slow.newChannel(), await quick.newChannel()];
  await slow.groupAdd('room', a);
  await quick.groupAdd('room', b);
  return { slow, quick, a, b };
}

test('over-capacity: group_send to two processes, one of which does not receive; its queue is named', async () => {
  let [a, b] = ['', ''];
  const reproduced = await reproduce(async (stage) => {
    const room = await twoInRoom(stage, { capacity: 2 });
    [a, b] = [room.a, room.b];
    for (const count of [0, 1, 2]) {
      await room.quick.groupSend('room', counted(count));
      await room.quick.receive(b);
    }
  });
  expect(reproduced.of(2)[a]).toMatchObject({
    verdict: 'rejected',
    cause: 'over-capacity',
    queue: queueOf(a),
  });
  expect(reproduced.of(2)[b]).toMatchObject({ verdict: 'delivered' });
  expect(reproduced.findings).toHaveLength(1);
});

test('innocent twin of over-capacity: the queue was full, and its process received one before the next send', async () => {
  let a = '';
  const reproduced = await reproduce(async (stage) => {
    const room = await twoInRoom(stage, { capacity: 2 });
    a = room.a;
    for (const count of [0, 1]) await room.quick.groupSend('room', counted(count));
    await room.slow.receive(a);
    await room.quick.receive(room.b);
    await room.quick.groupSend('room', counted(2));
    for (const _ of [1, 2]) await room.slow.receive(a);
  });
  expect(reproduced.of(2)[a]).toMatchObject({ verdict: 'delivered' });
  expect(reproduced.findings).toEqual([]);
});

/** A process whose queue of two is full, as a group_send and a send left it. */
async function full({ python }: Stage): Promise<{ layer: PythonLayer; a: string }> {
  const layer = await python({ capacity: 2 });
  const a = await layer.newChannel();
  await layer.groupAdd('room', a);
  await layer.groupSend('room', counted(0));
  await layer.send(a, counted(1));
  return { layer, a };
}

test('over-capacity: send raises ChannelFull, and the message is never on the wire', async () => {
  let a = '';
  const reproduced = await reproduce(async (stage) => {
    const sender = await full(stage);
    a = sender.a;
    await expect(sender.layer.send(a, counted(2))).rejects.toMatchObject({ type: 'ChannelFull' });
    await sleep(1_100); // the process lives on
  });
  expect(reproduced.findings).toMatchObject([
    { verdict: 'rejected', cause: 'over-capacity', queue: queueOf(a), member: null, sender: null },
  ]);
});

test('innocent twin of over-capacity: a client that plays the send of channels_redis is cut between ZCOUNT and ZADD', async () => {
  const reproduced = await reproduce(async (stage) => {
    const { a } = await full(stage);
    const client = stage.client();
    await client.zremrangebyscore(queueOf(a), 0, 1);
    expect(await client.zcount(queueOf(a), '-inf', '+inf')).toBe(2);
    client.disconnect();
    await sleep(1_100);
  });
  expect(reproduced.findings).toMatchObject([
    { verdict: 'indeterminate', cause: null, alternatives: ['over-capacity', 'never-sent'] },
  ]);
});

/** Sends every 300 ms from `first` on, until `enough`. Returns how many. */
async function sendUntil(
  layer: PythonLayer,
  channel: string,
  enough: () => Promise<boolean>,
): Promise<number> {
  let count = 0;
  do {
    await layer.send(channel, counted(count++));
    await sleep(300);
  } while (!(await enough()));
  return count;
}

test('message-expired: older than expiry when the next send trims the queue', async () => {
  const reproduced = await reproduce(async ({ python, direct }) => {
    const [receiver, sender] = [await python(), await python({ expiry: 2 })];
    const a = await receiver.newChannel();
    // Who has never received on this host may receive on another.
    await sender.send(a, counted(99));
    await receiver.receive(a);
    let sent = 0;
    await sendUntil(sender, a, async () => (await direct.zcard(queueOf(a))) < ++sent);
  });
  expect(only(reproduced, 0)).toMatchObject({ verdict: 'expired', cause: 'message-expired' });
  expect(only(reproduced, 0).because).toContain('and messages live for 2 s');
});

/** `receive` returns while its acknowledgement is still to be sent: it is waited for, or a stop may come before it. */
async function acknowledged(direct: Stage['direct'], channel: string): Promise<void> {
  await until(async () => (await direct.exists(`${queueOf(channel)}$inflight`)) === 0);
}

test('innocent twin of message-expired: the same sends and trims, and its process receives', async () => {
  let sent = 0;
  const reproduced = await reproduce(async ({ python, direct }) => {
    const [receiver, sender] = [await python(), await python({ expiry: 2 })];
    const a = await receiver.newChannel();
    sent = await sendUntil(sender, a, async () => {
      await receiver.receive(a);
      return ++sent === 10; // 3 s: longer than messages live
    });
    await acknowledged(direct, a);
  });
  expect(sent).toBe(10);
  for (let count = 0; count < sent; count++)
    expect(only(reproduced, count)).toMatchObject({ verdict: 'delivered' });
});

test('queue-expired: nobody sends or receives for expiry, and the whole queue dies', async () => {
  const reproduced = await reproduce(async ({ python, direct }) => {
    const [receiver, sender] = [await python(), await python({ expiry: 1 })];
    const a = await receiver.newChannel();
    await sender.send(a, counted(0));
    await until(async () => (await direct.exists(queueOf(a))) === 0);
    await sleep(1_000); // two clocks, and a reply that may be read late
    await sender.send(a, counted(1));
    expect(await receiver.receive(a)).toEqual(counted(1));
    await acknowledged(direct, a);
  });
  expect(only(reproduced, 0)).toMatchObject({ verdict: 'expired', cause: 'queue-expired' });
  expect(only(reproduced, 1)).toMatchObject({ verdict: 'delivered' });
});

test('innocent twin of queue-expired: another send sets the time anew, and the first is received late', async () => {
  const reproduced = await reproduce(async ({ python, direct }) => {
    const [receiver, sender] = [await python(), await python({ expiry: 3 })];
    const a = await receiver.newChannel();
    await sender.send(a, counted(0));
    await sleep(1_800);
    await sender.send(a, counted(1));
    await sleep(1_400); // the first time to live is over
    expect(await receiver.receive(a)).toMatchObject({ type: 'chat_send' });
    await receiver.receive(a);
    await acknowledged(direct, a);
  });
  for (const count of [0, 1]) expect(only(reproduced, count)).toMatchObject({ verdict: 'delivered' });
});

/** A process that has received message 0 and acknowledged it; it does not receive now. */
async function received({ python, direct }: Stage) {
  const [receiver, sender] = [await python({ capacity: 2 }), await python({ capacity: 2 })];
  const a = await receiver.newChannel();
  await receiver.groupAdd('room', a);
  await sender.groupSend('room', counted(0));
  await receiver.receive(a);
  await until(async () => (await direct.exists(`${queueOf(a)}$inflight`)) === 0); // acknowledged
  return { receiver, sender, a };
}

test('rejected: a user without permission for the script, and a Redis out of memory', async () => {
  const reproduced = await reproduce(async (stage) => {
    const { receiver, sender, a } = await received(stage);
    await stage.direct.call('ACL', 'SETUSER', 'default', '-eval');
    await expect(sender.groupSend('room', counted(1))).rejects.toBeInstanceOf(PythonError);
    await stage.direct.call('ACL', 'SETUSER', 'default', '+eval');
    await stage.direct.config('SET', 'maxmemory', '1');
    await expect(sender.send(a, counted(2))).rejects.toBeInstanceOf(PythonError);
    await expect(sender.groupSend('room', counted(9))).rejects.toBeInstanceOf(PythonError);
    await stage.direct.config('SET', 'maxmemory', '0');
    await sender.send(a, counted(3));
    await receiver.receive(a);
  });
  for (const [count, error] of [
    [1, 'NOPERM'],
    [2, 'OOM'],
  ] as const) {
    expect(only(reproduced, count)).toMatchObject({ verdict: 'rejected', cause: 'rejected' });
    expect(only(reproduced, count).because).toContain(`Redis refused it: ${error}`);
  }
  // Out of memory, Redis refuses the trim that group_send makes in a MULTI: message 9 never comes to the wire.
  expect(reproduced.of(9)).toEqual({});
  expect(reproduced.findings.filter(({ member }) => member === null)).toMatchObject([
    { verdict: 'rejected', cause: 'rejected' },
  ]);
  expect(only(reproduced, 3)).toMatchObject({ verdict: 'delivered' });
});

test('innocent twin of rejected: NOSCRIPT, and a client that plays another version sends the same member by EVAL', async () => {
  const reproduced = await reproduce(async (stage) => {
    const { receiver, a } = await received(stage);
    const member = Buffer.concat([Buffer.alloc(12, 'x'), await payloadOf(stage, a)]);
    const client = stage.client();
    const args = [1, queueOf(a), member, 100, Date.now() / 1000, 60] as const;
    await expect(client.evalsha('0'.repeat(40), ...args)).rejects.toThrow('NOSCRIPT');
    const script =
      "redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1]) redis.call('EXPIRE', KEYS[1], ARGV[4]) return 0";
    expect(await client.eval(script, ...args)).toBe(0);
    await receiver.receive(a);
  });
  expect(only(reproduced, 7)).toMatchObject({ verdict: 'delivered' });
});

/** What channels_redis packs for message 7: asked of itself, by a send that is taken out again before anybody can receive it. */
async function payloadOf({ python, direct, redis }: Stage, channel: string): Promise<Buffer> {
  const past = await python({ hosts: [redis.url] });
  await past.send(channel, counted(7));
  const [member] = await direct.zpopminBuffer(queueOf(channel));
  return (member as Buffer).subarray(12);
}

test('removed-outside-trace: DEL past the proxy', async () => {
  const reproduced = await reproduce(async (stage) => {
    const { receiver, sender, a } = await received(stage);
    await sender.groupSend('room', counted(1));
    expect(await stage.direct.del(queueOf(a))).toBe(1);
    await sender.groupSend('room', counted(2));
    expect(await receiver.receive(a)).toEqual(counted(2));
  });
  expect(only(reproduced, 1)).toMatchObject({ verdict: 'lost', cause: 'removed-outside-trace' });
  expect(only(reproduced, 1).because).toContain('out of sight of the proxy');
  expect(only(reproduced, 2)).toMatchObject({ verdict: 'delivered' });
});

test('removed-outside-trace: Redis evicts the queue, and says so in INFO', async () => {
  const reproduced = await reproduce(async (stage) => {
    const { receiver, sender, a } = await received(stage);
    await sender.groupSend('room', counted(1));
    await stage.direct.config('SET', 'maxmemory-policy', 'allkeys-lru');
    await stage.direct.config('SET', 'maxmemory', '1');
    await until(async () => (await stage.direct.exists(queueOf(a))) === 0);
    await stage.direct.config('SET', 'maxmemory', '0');
    await sender.send(a, counted(2));
    expect(await receiver.receive(a)).toEqual(counted(2));
  });
  expect(only(reproduced, 1)).toMatchObject({ verdict: 'lost', cause: 'removed-outside-trace' });
  expect(only(reproduced, 1).because).toMatch(/Redis evicted \d+ keys? in that time/);
});

test('removed-outside-trace: the flush of the layer itself, and FLUSHALL, are named', async () => {
  const reproduced = await reproduce(async (stage) => {
    const { receiver, sender, a } = await received(stage);
    await sender.groupSend('room', counted(1));
    await sender.flush();
    await sender.send(a, counted(2));
    await stage.client().flushall();
    await sender.send(a, counted(3));
    expect(await receiver.receive(a)).toEqual(counted(3));
  });
  for (const [count, command] of [
    [1, 'EVAL'],
    [2, 'FLUSHALL'],
  ] as const) {
    expect(only(reproduced, count)).toMatchObject({ verdict: 'lost', cause: 'removed-outside-trace' });
    expect(only(reproduced, count).because).toMatch(
      new RegExp(`\\(${command}, connection \\d+\\) removed it`),
    );
  }
});

test('innocent twin of removed-outside-trace: FLUSHALL after it was received', async () => {
  const reproduced = await reproduce(async (stage) => {
    const { receiver, sender, a } = await received(stage);
    await sender.groupSend('room', counted(1));
    await receiver.receive(a);
    await until(async () => (await stage.direct.exists(`${queueOf(a)}$inflight`)) === 0); // acknowledged
    await stage.client().flushall();
    await sender.send(a, counted(2));
    expect(await receiver.receive(a)).toEqual(counted(2));
  });
  for (const count of [0, 1, 2]) expect(only(reproduced, count)).toMatchObject({ verdict: 'delivered' });
  expect(reproduced.findings).toEqual([]);
});

/** With this much latency there is time between a backup and its acknowledgement. */
const SLOW = ['--latency', '150ms'];

/** The process is just receiving message 1, which is in its backup and not acknowledged. */
async function justBackedUp(stage: Stage) {
  const { receiver, sender, a } = await received(stage);
  const leaving = new AbortController();
  const receiving = receiver.receive(a, { signal: leaving.signal }).catch(() => null);
  await sender.groupSend('room', counted(1));
  await until(async () => (await stage.direct.exists(`${queueOf(a)}$inflight`)) === 1);
  return { receiver, a, leaving, receiving };
}

test('orphaned-in-flight: the process is killed after the backup', async () => {
  let a = '';
  const reproduced = await reproduce(async (stage) => {
    const killed = await justBackedUp(stage);
    a = killed.a;
    await killed.receiver.kill();
    await sleep(LONGER_THAN_A_POLL_MS);
    expect(await stage.direct.ttl(`${queueOf(a)}$inflight`)).toBe(-1); // leaked for ever
  }, SLOW);
  expect(only(reproduced, 1)).toMatchObject({ verdict: 'lost', cause: 'orphaned-in-flight' });
  expect(reproduced.findings).toHaveLength(1);
});

test('innocent twin of orphaned-in-flight: at the same moment only the consumer goes, and the process receives on', async () => {
  const reproduced = await reproduce(async (stage) => {
    const { receiver, leaving, receiving } = await justBackedUp(stage);
    leaving.abort();
    await receiving;
    const other = await receiver.newChannel();
    const staying = new AbortController();
    const waiting = receiver.receive(other, { signal: staying.signal }).catch(() => null);
    await until(async () => /flags=b .*cmd=bzpopmin/.test((await stage.direct.client('LIST')) as string));
    staying.abort();
    await waiting;
  }, SLOW);
  const { verdict, cause } = only(reproduced, 1);
  expect(cause).not.toBe('orphaned-in-flight');
  expect(['delivered', 'redelivered-late']).toContain(verdict);
});

test('receiver-stalled: the process lives and does not receive; its queue fills up', async () => {
  const reproduced = await reproduce(async (stage) => {
    const { sender } = await received(stage);
    for (const count of [1, 2, 3]) await sender.groupSend('room', counted(count));
    await sleep(LONGER_THAN_A_POLL_MS);
  });
  expect(only(reproduced, 3)).toMatchObject({ verdict: 'lost', cause: 'receiver-stalled' });
});

test('innocent twin of receiver-stalled: it fills up just as fast, and the process receives again soon', async () => {
  const reproduced = await reproduce(async (stage) => {
    const { receiver, sender, a } = await received(stage);
    for (const count of [1, 2, 3]) await sender.groupSend('room', counted(count));
    for (const _ of [1, 2]) await receiver.receive(a);
  });
  expect(only(reproduced, 3)).toMatchObject({ verdict: 'rejected', cause: 'over-capacity' });
  for (const count of [1, 2]) expect(only(reproduced, count)).toMatchObject({ verdict: 'delivered' });
});

test('a process that is gone before it popped accuses nobody', async () => {
  const reproduced = await reproduce(async (stage) => {
    const { receiver, sender } = await received(stage);
    await receiver.kill();
    await sender.groupSend('room', counted(1));
    await sleep(LONGER_THAN_A_POLL_MS);
  });
  expect(only(reproduced, 1)).toMatchObject({ verdict: 'recipients-left', cause: null });
  expect(reproduced.findings).toEqual([]);
});
