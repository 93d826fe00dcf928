import { describe, expect, it } from 'vitest';
import type { Reply, TraceOperation } from '../../proxy/trace/trace.js';
import { array, bulk, integer, memberOf, nil, PROCESS, QUEUE } from '../testing/scripted-trace.js';
import { stepOf } from './channel-layer.js';

function step(args: readonly (string | Buffer)[], reply: Reply | null = null) {
  const words = args.map((word) => Buffer.from(word));
  return stepOf({ command: String(args[0]).toUpperCase(), args: words } as unknown as TraceOperation, reply);
}

const member = memberOf('anna', 1);
const OTHER = QUEUE.replace('0123', 'ffff');

describe('scripts are known by their shape', () => {
  it.each(['EVAL', 'EVALSHA'])('%s: group_send to two queues', (command) => {
    expect(
      step([command, 'x', '2', QUEUE, OTHER, member, member, '100', '200', '1700000000.5', '60']),
    ).toEqual({
      step: 'enqueue',
      by: 'group_send',
      score: 1700000000.5,
      expiry: 60,
      deliveries: [
        { queue: QUEUE, member, capacity: 100 },
        { queue: OTHER, member, capacity: 200 },
      ],
    });
  });

  it.each(['EVAL', 'EVALSHA'])('%s: the cleanup script, whose keys travel in ARGV', (command) => {
    expect(step([command, 'x', '0', QUEUE, `${QUEUE}$inflight`])).toEqual({ step: 'restore', queue: QUEUE });
  });

  it.each(['EVAL', 'EVALSHA'])('%s: taking what waits, backed up in the same moment', (command) => {
    const take = [command, 'x', '2', QUEUE, `${QUEUE}$inflight`, '100'];
    const other = memberOf('anna', 2);
    const scored = array(bulk(member), bulk('1.5'), bulk(other), bulk('1.6'));
    expect(step(take, scored)).toEqual({ step: 'take', queue: QUEUE, members: [member, other] });
    expect(step(take, array())).toEqual({ step: 'take', queue: QUEUE, members: [] });
    expect(step(take)).toEqual({ step: 'take', queue: QUEUE, members: [] });
  });

  it.each([
    ['another script without keys', ['EVAL', 'x', '0', 'a', 'b']],
    ['a lock of another library', ['EVALSHA', 'x', '1', 'lock', 'token']],
    ['four arguments, but the key is no queue', ['EVAL', 'x', '1', 'rate', 'a', '1', '2', '3']],
    ['capacities that are not numbers', ['EVAL', 'x', '1', QUEUE, member, 'many', '2', '3']],
    ['too few arguments', ['EVAL', 'x', '2', QUEUE, OTHER, member, '100', '1', '60']],
    ['a key count that is no number', ['EVAL', 'x', 'two', QUEUE]],
    ['no arguments', ['EVAL']],
  ])('not %s', (_, args) => {
    expect(step(args)).toBeNull();
  });
});

describe('plain commands', () => {
  it('send: ZADD of a member to the queue of a process', () => {
    expect(step(['ZADD', QUEUE, '1.5', member])).toMatchObject({ step: 'enqueue', by: 'send', score: 1.5 });
  });

  it('backup: ZADD to $inflight', () => {
    expect(step(['zadd', `${QUEUE}$inflight`, '1.50', member])).toEqual({
      step: 'backup',
      queue: QUEUE,
      member,
    });
  });

  it('join and leave', () => {
    expect(step(['ZADD', 'chat:group:a', '1', `${PROCESS}x`])).toEqual({
      step: 'join',
      group: 'chat:group:a',
      channel: `${PROCESS}x`,
    });
    expect(step(['ZREM', 'chat:group:a', `${PROCESS}x`])).toEqual({
      step: 'leave',
      group: 'chat:group:a',
      channel: `${PROCESS}x`,
    });
  });

  it('a poll that brought a member, and one that brought nothing', () => {
    const reply = array(bulk(QUEUE), bulk(member), { kind: 'double', value: 1.5, text: '1.5' });
    expect(step(['BZPOPMIN', QUEUE, '5'], reply)).toEqual({
      step: 'poll',
      queues: [QUEUE],
      seconds: 5,
      taken: { queue: QUEUE, member },
    });
    expect(step(['BZPOPMIN', QUEUE, '5'], nil)).toEqual({
      step: 'poll',
      queues: [QUEUE],
      seconds: 5,
      taken: null,
    });
  });

  it('an acknowledgement, as RESP2 and as RESP3 with a count answer it', () => {
    const flat = array(bulk(member), bulk('1'));
    for (const reply of [flat, array(flat)])
      expect(step(['ZPOPMIN', `${QUEUE}$inflight`], reply)).toEqual({
        step: 'acknowledge',
        queue: QUEUE,
        members: [member],
      });
    expect(step(['ZPOPMIN', `${QUEUE}$inflight`], array())).toEqual({
      step: 'acknowledge',
      queue: QUEUE,
      members: [],
    });
  });

  it('an acknowledgement by name', () => {
    const other = memberOf('anna', 2);
    expect(step(['ZREM', `${QUEUE}$inflight`, member, other], integer(2))).toEqual({
      step: 'acknowledge',
      queue: QUEUE,
      members: [member, other],
    });
  });

  it('nothing to the layer: other sorted sets, other replies', () => {
    expect(step(['ZADD', 'leaderboard', '1', 'anna'])).toBeNull();
    expect(step(['ZADD', QUEUE, 'NX', '1', member])).toBeNull();
    expect(step(['ZPOPMIN', 'leaderboard'], array())).toBeNull();
    expect(step(['ZRANGE', 'chat:group:a', '0', '-1'], integer(1))).toBeNull();
    expect(step(['BZPOPMIN'])).toBeNull();
  });
});
