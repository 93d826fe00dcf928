import { describe, expect, it } from 'vitest';
import { Turns } from './turns.js';

describe('turns', () => {
  it('come in the order in which they were asked for', () => {
    const turns = new Turns();
    const order: number[] = [];
    expect(turns.take()).toBe(true);
    for (const n of [1, 2, 3]) turns.wait(() => order.push(n));
    expect(turns.take()).toBe(false);
    for (const soFar of [[1], [1, 2], [1, 2, 3]]) {
      turns.pass();
      expect(order).toEqual(soFar);
    }
    expect(turns.idle).toBe(false);
    turns.pass();
    expect(turns.idle).toBe(true);
  });

  it('pass over who stood down', () => {
    const turns = new Turns();
    turns.take();
    const order: number[] = [];
    const standDown = turns.wait(() => order.push(1));
    turns.wait(() => order.push(2));
    standDown();
    standDown();
    turns.pass();
    expect(order).toEqual([2]);
  });

  it('one that is cancelled while it waits is not had', async () => {
    const turns = new Turns();
    await turns.acquire();
    const leaving = new AbortController();
    const cancelled = turns.acquire(leaving.signal);
    const next = turns.acquire();
    const reason = new Error('left');
    leaving.abort(reason);
    await expect(cancelled).rejects.toBe(reason);
    turns.pass();
    await next;
    turns.pass();
    expect(turns.idle).toBe(true);
  });

  it('one that is cancelled before is not asked for', async () => {
    const turns = new Turns();
    await expect(turns.acquire(AbortSignal.abort())).rejects.toMatchObject({ name: 'AbortError' });
    expect(turns.idle).toBe(true);
  });
});
