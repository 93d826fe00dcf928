import { expect, test } from 'vitest';
import { parseUnacknowledged, ResetsAfterDelivery, type Resettable } from './delivery.js';

const TABLE = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:18EC 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 0000 100 0 0 10 0
   1: 0100007F:18EC 0100007F:A3B2 01 000003E8:00000000 01:00000014 00000000     0        0 112 2 0000 20 4 30 10 -1
  sl  local_address                         remote_address                        st tx_queue rx_queue tr
   0: 00000000000000000000000001000000:18EC 00000000000000000000000001000000:A3B3 01 00000010:00000000 00:00000000
`;

test('bytes that the peer has not acknowledged, from the kernel of Linux', () => {
  const bytes = parseUnacknowledged(TABLE);
  expect(bytes.get(`${0x18ec} ${0xa3b2}`)).toBe(1000);
  expect(bytes.get(`${0x18ec} ${0xa3b3}`)).toBe(16);
  expect(bytes.get(`${0x18ec} 0`)).toBe(0);
});

function socket(): Resettable & {
  destroyed: boolean;
  writableLength: number;
  readonly reset: Promise<void>;
} {
  let done = (): void => {};
  const reset = new Promise<void>((resolve) => (done = resolve));
  return {
    destroyed: false,
    writableLength: 0,
    localPort: 0x18ec,
    remotePort: 0xa3b2,
    reset,
    resetAndDestroy() {
      this.destroyed = true;
      done();
    },
  };
}

test('a reset waits for what Node holds, and for what the kernel holds', async () => {
  const waiting = socket();
  waiting.writableLength = 5;
  let reads = 0;
  const states: string[] = [];
  const resets = new ResetsAfterDelivery(async () => {
    reads += 1;
    if (reads === 3) waiting.writableLength = 0;
    states.push(`${waiting.writableLength} ${waiting.destroyed}`);
    return reads < 5 ? TABLE : TABLE.replace('000003E8', '00000000');
  });
  resets.reset(waiting);
  await waiting.reset;
  expect(states).toEqual(['5 false', '5 false', '0 false', '0 false', '0 false']);
});

test('where the system does not tell, what the kernel has taken counts as delivered', async () => {
  const [one, two] = [socket(), socket()];
  const resets = new ResetsAfterDelivery(async () => '');
  resets.reset(one);
  resets.reset(two);
  await Promise.all([one.reset, two.reset]);
});
