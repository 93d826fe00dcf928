import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { MemoryLayer } from './memory.js';

// What all layers do alike is in layer.test.ts; here is what takes time, by a clock that is moved on.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

it('a message past its expiry is gone, and its channel has left its groups', async () => {
  const layer = new MemoryLayer({ expiry: 60 });
  const [left, stayed] = [await layer.newChannel(), await layer.newChannel()];
  for (const channel of [left, stayed]) await layer.groupAdd('room', channel);
  await layer.groupSend('room', { type: 'x', n: 1 });
  expect(await layer.receive(stayed)).toEqual({ type: 'x', n: 1 });
  vi.advanceTimersByTime(60_000);
  await layer.groupSend('room', { type: 'x', n: 2 });
  expect(await layer.receive(stayed)).toEqual({ type: 'x', n: 2 });
  await layer.send(left, { type: 'x', n: 3 });
  expect(await layer.receive(left)).toEqual({ type: 'x', n: 3 });
});

it('a message before its expiry is not', async () => {
  const layer = new MemoryLayer({ expiry: 60 });
  const channel = await layer.newChannel();
  await layer.send(channel, { type: 'x', n: 1 });
  vi.advanceTimersByTime(59_999);
  expect(await layer.receive(channel)).toEqual({ type: 'x', n: 1 });
});

it('a member is one for the group expiry, and longer when it is added again', async () => {
  const layer = new MemoryLayer({ groupExpiry: 100 });
  const [once, again] = [await layer.newChannel(), await layer.newChannel()];
  for (const channel of [once, again]) await layer.groupAdd('room', channel);
  vi.advanceTimersByTime(99_000);
  await layer.groupAdd('room', again);
  vi.advanceTimersByTime(2_000);
  await layer.groupSend('room', { type: 'x', n: 1 });
  expect(await layer.receive(again)).toEqual({ type: 'x', n: 1 });
  await layer.send(once, { type: 'x', n: 2 });
  expect(await layer.receive(once)).toEqual({ type: 'x', n: 2 });
});

it('each member has a message of its own, as if it had been through Redis', async () => {
  const layer = new MemoryLayer();
  const [a, b] = [await layer.newChannel(), await layer.newChannel()];
  for (const channel of [a, b]) await layer.groupAdd('room', channel);
  const message = { type: 'x', list: [1] };
  await layer.groupSend('room', message);
  message.list.push(2);
  const [first, second] = [await layer.receive(a), await layer.receive(b)];
  expect([first, second]).toEqual([
    { type: 'x', list: [1] },
    { type: 'x', list: [1] },
  ]);
  expect(first.list).not.toBe(second.list);
});
