import { expect, test } from 'vitest';
import { counted, queueOf, type Reproduced, reproduce, type Stage, until } from './reproduced.js';

// `symmetric_encryption_keys`, by real channels_redis 4.0.0: what is on the wire are Fernet tokens, which gaptrace cannot read.

/** So long is a reply on its way that a receive can be cancelled meanwhile. */
const SLOW = ['--latency', '150ms'];
const ENCRYPTED = { symmetric_encryption_keys: ['a key that gaptrace does not have'] };

/** Has Redis a pop that waits? */
async function waits({ direct }: Stage): Promise<boolean> {
  return /flags=b .*cmd=bzpopmin/.test((await direct.client('LIST')) as string);
}

/**
 * Anna and a guest are consumers of one process, in rooms of their own. While the guest receives for both, a message for Anna is popped,
 * and the guest goes before the reply is there. `then`: what happens before the next receive. Gives what Anna's process received.
 */
async function guestLeaves(
  stage: Stage,
  then: (process: Awaited<ReturnType<Stage['python']>>, anna: string) => Promise<void>,
): Promise<{ readonly anna: string; readonly received: readonly unknown[] }> {
  const [receiver, sender] = [await stage.python(ENCRYPTED), await stage.python(ENCRYPTED)];
  const [anna, guest] = [await receiver.newChannel(), await receiver.newChannel()];
  await Promise.all([receiver.groupAdd('room', anna), receiver.groupAdd('other', guest)]);
  await sender.groupSend('room', counted(0));
  const received: unknown[] = [await receiver.receive(anna)];
  const leaving = new AbortController();
  const receiving = receiver.receive(guest, { signal: leaving.signal }).catch(() => null);
  await until(() => waits(stage));
  const sending = sender.groupSend('room', counted(1));
  await until(async () => !(await waits(stage)));
  leaving.abort();
  await Promise.all([receiving, sending, receiver.groupDiscard('other', guest)]);
  expect(await stage.direct.exists(queueOf(anna), `${queueOf(anna)}$inflight`)).toBe(0);
  await then(receiver, anna);
  await sender.send(anna, counted(2)); // to her alone: she need not be in the room
  received.push(await receiver.receive(anna));
  return { anna, received };
}

test('popped-then-disconnected, encrypted: found, its payload said to be unreadable, its recipient known by the roll call', async () => {
  let anna = '';
  const { findings }: Reproduced = await reproduce(async (stage) => {
    const played = await guestLeaves(stage, async () => {});
    anna = played.anna;
    expect(played.received).toEqual([counted(0), counted(2)]);
  }, SLOW);
  expect(findings).toMatchObject([
    {
      ...{ verdict: 'lost', cause: 'popped-then-disconnected', queue: queueOf(anna) },
      ...{ sender: null, count: null, excerpt: null, group: 'asgi:group:room' },
      ...{ recipients: [anna], recipients_present: [anna] },
    },
  ]);
  const [finding] = findings;
  expect(finding?.member).toMatch(/^[0-9a-f]{12}$/);
  expect(finding?.explanation).toContain(`The message ${finding?.member} was put into queue`);
  expect(finding?.explanation).toContain('Its payload is encrypted or of another format');
});

test('innocent twin: Anna had left, too, before the process received again', async () => {
  const { findings } = await reproduce(async (stage) => {
    const { received } = await guestLeaves(stage, (receiver, anna) => receiver.groupDiscard('room', anna));
    expect(received).toEqual([counted(0), counted(2)]);
  }, SLOW);
  expect(findings).toEqual([]);
});
