import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Inboxes } from './inboxes.js';
import type { LayerNotice } from './layer.js';

let notices: LayerNotice[];
const inboxes = (capacity = 100, expiry = 60): Inboxes => {
  notices = [];
  return new Inboxes({ capacity, expiry, notice: (notice) => notices.push(notice) });
};
const never = new AbortController().signal;
const n = (count: number): { n: number } => ({ n: count });

describe('an inbox', () => {
  it('keeps messages in order until they are asked for', async () => {
    const boxes = inboxes();
    boxes.deliver('a', n(1));
    boxes.deliver('b', n(2));
    boxes.deliver('a', n(3));
    expect([boxes.take('a'), await boxes.next('a', never), boxes.take('a'), boxes.take('b')]).toEqual([
      n(1),
      n(3),
      undefined,
      n(2),
    ]);
    expect(boxes.size).toBe(0);
  });

  it('hands a message to the one who has waited longest', async () => {
    const boxes = inboxes();
    const [first, second] = [boxes.next('a', never), boxes.next('a', never)];
    expect(boxes.isAwaited('a')).toBe(true);
    boxes.deliver('a', n(1));
    boxes.deliver('a', n(2));
    expect(await Promise.all([first, second])).toEqual([n(1), n(2)]);
    expect([boxes.isAwaited('a'), boxes.size]).toEqual([false, 0]);
  });

  it('gives nothing to who has left: the next one gets it', async () => {
    const boxes = inboxes();
    const leaving = new AbortController();
    const left = boxes.next('a', leaving.signal);
    leaving.abort();
    boxes.deliver('a', n(1));
    await expect(left).rejects.toMatchObject({ name: 'AbortError' });
    expect(await boxes.next('a', never)).toEqual(n(1));
  });

  it('drops its oldest message over its capacity, and says so once until it is empty', () => {
    const boxes = inboxes(2);
    for (const count of [1, 2, 3, 4]) boxes.deliver('a', n(count));
    expect(notices.map(({ event, message }) => [event, message])).toEqual([
      [
        'inbox-full',
        'the consumer of a does not read: 2 messages wait for it, its oldest are dropped from now on',
      ],
    ]);
    expect([boxes.take('a'), boxes.take('a'), boxes.take('a')]).toEqual([n(3), n(4), undefined]);
    for (const count of [5, 6, 7]) boxes.deliver('a', n(count));
    expect(notices).toHaveLength(2);
  });

  it('can be dropped, and those who wait wait on', async () => {
    const boxes = inboxes();
    boxes.deliver('a', n(1));
    boxes.drop('a');
    boxes.drop('nobody');
    const next = boxes.next('a', never);
    boxes.drop('a');
    boxes.deliver('a', n(2));
    expect(await next).toEqual(n(2));
  });
});

describe('an inbox that nobody reads', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['performance'] }); // the clock alone: no test waits a minute
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('is gone after its expiry; one that is read, or waited at, is not', async () => {
    const boxes = inboxes(100, 60);
    const waiting = boxes.next('waited', never);
    boxes.deliver('left', n(1));
    boxes.deliver('read', n(2));
    boxes.deliver('read', n(3));
    vi.advanceTimersByTime(59_000);
    expect(boxes.take('read')).toEqual(n(2));
    vi.advanceTimersByTime(1_000);
    boxes.deliver('other', n(4));
    expect([boxes.take('left'), boxes.take('read')]).toEqual([undefined, n(3)]);
    boxes.deliver('waited', n(5));
    expect(await waiting).toEqual(n(5));
  });
});
