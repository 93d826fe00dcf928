import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GapWatch } from './gap-watch.js';
import { type Member, Tally, total } from './tally.js';

const PATIENCE_MS = 1_000;

function member(tally: Tally, room: string, id: string): Member {
  return tally.joined(room, id, new GapWatch({ client: id, room, patienceMs: PATIENCE_MS }));
}

/** Sends the counts from..to-1 of a sender. */
function send(tally: Tally, room: string, sender: string, from: number, to: number): void {
  for (let count = from; count < to; count++) tally.sent(room, sender, count);
}

describe('the account of a swarm', () => {
  it('addresses each message to those who stay in the room and are there, but not to its sender', () => {
    const tally = new Tally(['a', 'b']);
    const ann = member(tally, 'a', 'ann');
    member(tally, 'b', 'cy');
    tally.sent('a', 'ann', 0);
    expect(tally.outstanding).toBe(0);
    const bob = member(tally, 'a', 'bob');
    tally.sent('a', 'ann', 1);
    tally.sent('a', 'churner', 0);
    expect(tally.outstanding).toBe(3);
    expect(tally.received(bob, 'ann', 1, 0)).toBe(true);
    expect(tally.received(bob, 'ann', 1, 0)).toBe(false); // a repeat
    expect(tally.received(ann, 'stranger', 5, 0)).toBe(false); // of nobody's that is known here
    expect(tally.outstanding).toBe(2);
    const [a, b] = tally.rooms(9_000);
    expect(a).toMatchObject({ room: 'a', sent: 3, addressed: 3, received: 3, duplicates: 1, unheard: 2 });
    expect(b).toMatchObject({ room: 'b', sent: 0, addressed: 0, received: 0, unheard: 0 });
  });

  it('tells messages from deliveries: one that two clients missed is one message lost', () => {
    const tally = new Tally(['a']);
    const listeners = ['ann', 'bob', 'cy'].map((id) => member(tally, 'a', id));
    send(tally, 'a', 'dee', 0, 5);
    for (const [i, listener] of listeners.entries())
      for (const count of [
        [0, 1, 4],
        [0, 1, 3, 4],
        [0, 1, 2, 3, 4],
      ][i] ?? [])
        tally.received(listener, 'dee', count, 0);
    const [counts] = tally.rooms(PATIENCE_MS);
    expect(counts).toMatchObject({ gaps: 2, missed: 3, lost: 2, hit: 2, undecided: 0, unheard: 0 });
    expect(tally.gaps(PATIENCE_MS).map(({ client, missing }) => [client, missing])).toEqual([
      ['ann', [2, 3]],
      ['bob', [2]],
    ]);
    expect(tally.rooms(PATIENCE_MS - 1)[0]).toMatchObject({ gaps: 0, missed: 0, undecided: 3, unheard: 0 });
  });

  it('does not call a gap what never came before the first or after the last count of a sender', () => {
    const tally = new Tally(['a']);
    const ann = member(tally, 'a', 'ann');
    send(tally, 'a', 'bob', 0, 6);
    for (const count of [2, 3]) tally.received(ann, 'bob', count, 0);
    expect(tally.rooms(9_000)[0]).toMatchObject({ addressed: 6, gaps: 0, unheard: 4 });
  });

  it('adds the rooms up', () => {
    const tally = new Tally(['a', 'b']);
    for (const room of ['a', 'b']) {
      const listener = member(tally, room, `${room}-0`);
      send(tally, room, 's', 0, 4);
      for (const count of [0, 2, 1, 1, 3]) tally.received(listener, 's', count, 0);
    }
    expect(total(tally.rooms(9_000))).toEqual({
      ...{ sent: 8, addressed: 8, received: 10, gaps: 0, missed: 0, lost: 0, hit: 0 },
      ...{ duplicates: 2, reorderings: 2, undecided: 0, unheard: 0 },
    });
  });
});

// A model that knows the truth: a room with listeners that join at some time and stay, senders that come and go, and for each
// delivery whether it is lost, how late it is, and whether it comes twice.
interface Delivery {
  readonly lost: boolean;
  readonly delayMs: number;
  readonly againMs: number | undefined;
}

const delivery: fc.Arbitrary<Delivery> = fc.record({
  lost: fc.boolean(),
  delayMs: fc.nat({ max: PATIENCE_MS }),
  againMs: fc.option(fc.nat({ max: 2_000 }), { nil: undefined }),
});
const LISTENERS = 3;
const sender = fc.record({
  startMs: fc.nat({ max: 3_000 }),
  // Nine messages at most: ten repeats in a row would be a sender that starts again.
  fates: fc.array(fc.array(delivery, { minLength: LISTENERS, maxLength: LISTENERS }), { maxLength: 9 }),
});

describe('in every room that can be thought of', () => {
  it('each delivery is received, missed or unheard, and missed only if it was lost', () => {
    fc.assert(
      fc.property(
        fc.array(sender, { maxLength: 4 }),
        fc.array(fc.nat({ max: 2_000 }), { minLength: LISTENERS, maxLength: LISTENERS }),
        (senders, joinsMs) => {
          const tally = new Tally(['r']);
          const members = new Map<number, Member>();
          const lost = new Set<string>();
          let addressed = 0;
          let came = 0;
          let repeats = 0;
          const happenings: { readonly atMs: number; readonly happen: () => void }[] = joinsMs.map(
            (atMs, i) => ({
              atMs,
              happen: () => members.set(i, member(tally, 'r', `listener${i}`)),
            }),
          );
          const later = (atMs: number, happen: () => void): void => void happenings.push({ atMs, happen });
          for (const [s, { startMs, fates }] of senders.entries())
            for (const [count, deliveries] of fates.entries()) {
              const sentMs = startMs + count * 100;
              later(sentMs, () => tally.sent('r', `s${s}`, count));
              for (const [i, fate] of deliveries.entries()) {
                if (sentMs < (joinsMs[i] ?? 0)) continue; // not there yet
                addressed++;
                if (fate.lost) lost.add(`listener${i} s${s} ${count}`);
                if (fate.lost) continue;
                const arrive = (atMs: number): void =>
                  later(atMs, () => {
                    const listener = members.get(i);
                    if (listener !== undefined) tally.received(listener, `s${s}`, count, atMs);
                  });
                came++;
                arrive(sentMs + fate.delayMs);
                if (fate.againMs === undefined) continue;
                repeats++;
                arrive(sentMs + fate.delayMs + fate.againMs);
              }
            }
          // Of what happens at the same moment, joining and sending come first.
          for (const { happen } of happenings.sort((a, b) => a.atMs - b.atMs)) happen();

          const endMs = 30_000; // long after the last message
          const [counts] = tally.rooms(endMs);
          if (counts === undefined) throw new Error('there is a room');
          expect(counts).toMatchObject({
            addressed,
            received: came + repeats,
            duplicates: repeats,
            undecided: 0,
          });
          expect(counts.missed + counts.unheard).toBe(lost.size);
          expect(tally.outstanding).toBe(lost.size);
          const missed = tally
            .gaps(endMs)
            .flatMap(({ client, sender: of, missing }) => missing.map((count) => `${client} ${of} ${count}`));
          expect(missed).toHaveLength(counts.missed);
          expect(lost).toEqual(new Set([...lost, ...missed]));
        },
      ),
      { numRuns: 300 },
    );
  });
});
