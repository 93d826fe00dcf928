import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { churners, type Life, type Plan, stayingLives } from './schedule.js';

const plan: Plan = {
  rooms: [
    { room: 'room_a', clients: 2 },
    { room: 'room_b', clients: 3 },
  ],
  churn: 1,
  lifetimeUs: 1_000_000,
  rate: 10,
  seed: 7,
};

/** The first lives of each churner. */
function churning(of: Plan, lives = 20): Life[][] {
  return churners(of).map((churner) => Array.from({ length: lives }, () => churner.next().value));
}

describe('the plan of a swarm', () => {
  it('is by default that of the seven clients: two and three that stay, and one in each room that comes and goes', () => {
    const names = stayingLives(plan).map(({ client, room }) => `${client} in ${room}`);
    expect(names).toEqual([
      'room_a-0 in room_a',
      'room_a-1 in room_a',
      'room_b-0 in room_b',
      'room_b-1 in room_b',
      'room_b-2 in room_b',
    ]);
    expect(churning(plan, 2).map((lives) => lives.map(({ client, room }) => `${client} in ${room}`))).toEqual(
      [
        ['room_a-churn0.1 in room_a', 'room_a-churn0.2 in room_a'],
        ['room_b-churn0.1 in room_b', 'room_b-churn0.2 in room_b'],
      ],
    );
  });

  it('is the same for the same seed, and another one for another', () => {
    const all = (of: Plan): unknown => [stayingLives(of), churning(of)];
    expect(all({ ...plan })).toEqual(all(plan));
    expect(all({ ...plan, seed: 8 })).not.toEqual(all(plan));
  });

  it('does not change for the others when there is one churner more', () => {
    const more = churning({ ...plan, churn: 2 });
    expect([more[0], more[2]]).toEqual(churning(plan));
  });

  it('has churners of half to one and a half lifetimes, each coming as the one before goes, after those who stay', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 2 ** 32 - 1 }),
        fc.integer({ min: 1_000, max: 10_000_000 }),
        fc.nat({ max: 50 }),
        (seed, lifetimeUs, clients) => {
          const of = { ...plan, seed, lifetimeUs, rooms: [{ room: 'r', clients }] };
          const settledMs = Math.max(0, ...stayingLives(of).map(({ joinMs }) => joinMs));
          for (const lives of churning(of, 5)) {
            let freeMs = settledMs;
            for (const [i, { joinMs, leaveMs, sendFromMs }] of lives.entries()) {
              if (i === 0) expect(joinMs).toBeGreaterThanOrEqual(freeMs);
              else expect(joinMs).toBe(freeMs);
              const lived = ((leaveMs - joinMs) * 1000) / lifetimeUs;
              expect(lived).toBeGreaterThan(0.499);
              expect(lived).toBeLessThan(1.501);
              expect(sendFromMs - joinMs).toBeGreaterThanOrEqual(0);
              expect(sendFromMs - joinMs).toBeLessThanOrEqual(1000 / of.rate);
              freeMs = leaveMs;
            }
          }
        },
      ),
    );
  });

  it('lets many join no faster than one in two milliseconds', () => {
    const many = stayingLives({ ...plan, rooms: [{ room: 'r', clients: 1_000 }] });
    const joins = many.map(({ joinMs }) => joinMs);
    expect(Math.max(...joins)).toBeGreaterThan(1_900);
    expect(Math.max(...joins)).toBeLessThan(2_000);
    // Evenly, as drawn by lot: each tenth of that time has its share.
    for (let tenth = 0; tenth < 10; tenth++) {
      const here = joins.filter((ms) => ms >= tenth * 200 && ms < (tenth + 1) * 200);
      expect(here.length).toBeGreaterThan(60);
      expect(here.length).toBeLessThan(140);
    }
  });
});
