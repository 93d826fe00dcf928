import { describe, expect, it } from 'vitest';
import { RECIPIENTS_KEY } from './message.js';
import { hostOf, parcelsFor } from './placement.js';

// That Python computes the same for 1,000 names is shown by e2e/layers-interoperate.test.ts.
describe('the host of a name', () => {
  it('is the only one', () => {
    expect(hostOf('anything', 1)).toBe(0);
  });

  it('is the low 12 bits of its CRC-32, spread over the hosts', () => {
    // The check value of CRC-32: "123456789" -> 0xcbf43926, low bits 0x926 = 2342 of 4096.
    expect([2, 3, 4, 4096].map((hosts) => hostOf('123456789', hosts))).toEqual([1, 1, 2, 2342]);
  });

  it('is always one of them', () => {
    for (const hosts of [2, 3, 7, 100])
      for (let i = 0; i < 500; i++) {
        const host = hostOf(`name-${i}`, hosts);
        expect(Number.isInteger(host) && host >= 0 && host < hosts).toBe(true);
      }
  });
});

describe('a message to a group', () => {
  const capacityOf = (channel: string): number => (channel.startsWith('a') ? 1 : 2);

  it('is one parcel for each queue, with the channels in it', () => {
    const parcels = parcelsFor(['a.1!x', 'b.2!y', 'a.1!z', 'work'], { type: 'x' }, 1, capacityOf);
    expect([...parcels]).toEqual([
      [
        0,
        [
          { queueName: 'a.1!', capacity: 1, message: { type: 'x', [RECIPIENTS_KEY]: ['a.1!x', 'a.1!z'] } },
          { queueName: 'b.2!', capacity: 2, message: { type: 'x', [RECIPIENTS_KEY]: ['b.2!y'] } },
          { queueName: 'work', capacity: 2, message: { type: 'x', [RECIPIENTS_KEY]: ['work'] } },
        ],
      ],
    ]);
  });

  it('goes to the host of each queue', () => {
    const channels = Array.from({ length: 50 }, (_, i) => `p.${i}!c`);
    for (const [host, parcels] of parcelsFor(channels, { type: 'x' }, 3, capacityOf))
      for (const { queueName } of parcels) expect(hostOf(queueName, 3)).toBe(host);
  });

  it('to nobody is nothing', () => {
    expect(parcelsFor([], { type: 'x' }, 3, capacityOf).size).toBe(0);
  });
});
