import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { HeapGarbage } from './garbage.js';

it('is collected when the heap has grown by so much', async () => {
  const garbage = new HeapGarbage(4_000_000);
  garbage.left(); // the first time: what there is
  let left: object[] | null = Array.from({ length: 200_000 }, (_, at) => ({ at, more: [at] }));
  const one = new WeakRef(left);
  await setImmediate();
  expect(one.deref()).toBe(left);
  left = null;
  await setImmediate();
  garbage.left();
  expect(one.deref()).toBeUndefined();
});
