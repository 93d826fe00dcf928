import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DelayedOutlet, DelayLine, type Outlet, type Took } from './latency.js';

function drain<T>(line: DelayLine<T>, nowUs: number): T[] {
  const items: T[] = [];
  for (let item = line.take(nowUs); item !== undefined; item = line.take(nowUs)) items.push(item);
  return items;
}

test('an item leaves when its time has come, and not before', () => {
  const line = new DelayLine<string>({ latencyUs: 2_000, jitterUs: 0 });
  line.put('a', 100);
  line.put('b', 900);
  expect(line.nextDueUs).toBe(2_100);
  expect(drain(line, 2_099)).toEqual([]);
  expect(drain(line, 2_100)).toEqual(['a']);
  expect(line.nextDueUs).toBe(2_900);
  expect(drain(line, 5_000)).toEqual(['b']);
  expect(line.nextDueUs).toBeNull();
});

test('with any jitter the order is kept, nothing is lost, and no delay is out of its range', () => {
  fc.assert(
    fc.property(
      fc.nat(5_000),
      fc.nat(10_000),
      fc.array(fc.record({ gapUs: fc.nat(3_000), random: fc.double({ min: 0, max: 0.999, noNaN: true }) })),
      (latencyUs, jitterUs, items) => {
        const randoms = items.map(({ random }) => random);
        const line = new DelayLine<number>({ latencyUs, jitterUs }, () => randoms.shift() ?? 0);
        let nowUs = 0;
        const out: { item: number; at: number }[] = [];
        const put: number[] = [];
        items.forEach(({ gapUs }, item) => {
          nowUs += gapUs;
          for (const each of drain(line, nowUs)) out.push({ item: each, at: nowUs });
          put.push(nowUs);
          line.put(item, nowUs);
        });
        for (let due = line.nextDueUs; due !== null; due = line.nextDueUs)
          for (const item of drain(line, due)) out.push({ item, at: due });
        expect(out.map(({ item }) => item)).toEqual(items.map((_, item) => item));
        for (const { item, at } of out)
          expect(at - (put[item] ?? 0)).toBeGreaterThanOrEqual(latencyUs - jitterUs);
      },
    ),
  );
});

/** A socket whose kernel takes nothing until it is told to. */
class StuckSocket implements Outlet {
  readonly writableHighWaterMark = 10;
  readonly written: string[] = [];
  writableLength = 0;
  write(chunk: Buffer, _took: Took): boolean {
    this.written.push(chunk.toString());
    this.writableLength += chunk.length;
    return this.writableLength < 10;
  }
}

const nothing = (): void => {};

test('a full socket holds back what is due, closes included, until it has drained', () => {
  const socket = new StuckSocket();
  let nowUs = 0;
  const outlet = new DelayedOutlet(socket, { latencyUs: 1_000, jitterUs: 0 }, () => nowUs, nothing);
  outlet.write(Buffer.from('0123456789'), nothing);
  outlet.write(Buffer.from('more'), nothing);
  outlet.put(() => socket.written.push('FIN'));
  nowUs = 5_000;
  outlet.drained(); // a look at the clock
  expect(socket.written).toEqual(['0123456789']);
  expect(outlet.writableLength).toBe(14);
  socket.writableLength = 0;
  outlet.drained();
  expect(socket.written).toEqual(['0123456789', 'more', 'FIN']);
});

test('release lets everything out at once', () => {
  const socket = new StuckSocket();
  const outlet = new DelayedOutlet(socket, { latencyUs: 1e9, jitterUs: 0 }, () => 0, nothing);
  outlet.write(Buffer.from('0123456789'), nothing);
  outlet.write(Buffer.from('more'), nothing);
  outlet.put(() => socket.written.push('FIN'));
  outlet.release();
  expect(socket.written).toEqual(['0123456789', 'more', 'FIN']);
});

test('a source that filled the line is called back when there is room again', () => {
  const socket = new StuckSocket();
  let drained = 0;
  let nowUs = 0;
  const outlet = new DelayedOutlet(
    socket,
    { latencyUs: 1_000, jitterUs: 0 },
    () => nowUs,
    () => drained++,
  );
  const chunk = Buffer.alloc(1024 * 1024);
  const more = [1, 2, 3, 4].map(() => outlet.write(chunk, nothing));
  expect(more).toEqual([true, true, true, false]);
  nowUs = 2_000;
  outlet.drained(); // hands one to the socket, which holds on to it
  expect(drained).toBe(0);
  socket.writableLength = 0;
  outlet.drained();
  expect(drained).toBe(1);
  socket.writableLength = 0;
  outlet.drained();
  expect(drained).toBe(1);
});
