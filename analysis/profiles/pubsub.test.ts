import { describe, expect, it } from 'vitest';
import type { Reply, TraceOperation } from '../../proxy/trace/trace.js';
import { array, bulk, ScriptedTrace } from '../testing/scripted-trace.js';
import { heardOf, isConsumerChannel, isLayerChannel, pubSubStepOf } from './pubsub.js';

const CONSUMER = 'asgispecific.0123456789abcdef0123456789abcdef';

const step = (...args: string[]) => {
  const trace = new ScriptedTrace();
  trace.request(1, 1, args, null);
  return pubSubStepOf([...trace.operations()][0] as TraceOperation);
};

const heard = (frame: Reply & { kind: 'array' | 'push' }) => {
  const trace = new ScriptedTrace();
  trace.push(1, 1, frame);
  return [...trace.pushes()].map(heardOf)[0];
};

describe('names of the layer', () => {
  it.each(['asgi__group__room_a', 'my.prefix__group__x'])('a group: %s', (name) => {
    expect([isLayerChannel(name), isConsumerChannel(name)]).toEqual([true, false]);
  });

  it.each([CONSUMER, CONSUMER.replace('asgi', '')])('a consumer: %s', (name) => {
    expect([isLayerChannel(name), isConsumerChannel(name)]).toEqual([true, true]);
  });

  it.each(['news', 'asgi:group:room_a', `${CONSUMER}!`, `${CONSUMER}!0123`, '__keyevent@0__:expired', ''])(
    'no name of the layer: %s',
    (name) => {
      expect([isLayerChannel(name), isConsumerChannel(name)]).toEqual([false, false]);
    },
  );
});

describe('operations', () => {
  it('mean a message, a subscription or its end', () => {
    expect(step('PUBLISH', CONSUMER, 'x')).toMatchObject({ step: 'publish', channel: CONSUMER });
    expect(step('SUBSCRIBE', 'news', CONSUMER)).toEqual({ step: 'subscribe', channels: [CONSUMER] });
    expect(step('UNSUBSCRIBE', CONSUMER)).toEqual({ step: 'unsubscribe', channels: [CONSUMER] });
    expect(step('UNSUBSCRIBE')).toEqual({ step: 'unsubscribe', channels: null });
    expect(step('RESET')).toEqual({ step: 'unsubscribe', channels: null });
    expect(step('client', 'kill', 'ID', '7')).toEqual({ step: 'kill' });
  });

  it.each([
    [['PUBLISH', 'news', 'x']],
    [['PUBLISH', CONSUMER]],
    [['SUBSCRIBE', 'news']],
    [['CLIENT', 'SETINFO', 'LIB-NAME', 'x']],
    [['PSUBSCRIBE', '*']],
  ])('mean nothing: %j', (args) => {
    expect(step(...args)).toBeNull();
  });
});

describe('pushes', () => {
  const items = [bulk('message'), bulk(CONSUMER), bulk('x')];

  it('are messages in RESP2 and RESP3', () => {
    const expected = { channel: CONSUMER, payload: Buffer.from('x') };
    expect(heard({ kind: 'array', items })).toEqual(expected);
    expect(heard({ kind: 'push', items })).toEqual(expected);
  });

  it.each([
    ['of other applications', [bulk('message'), bulk('news'), bulk('x')]],
    ['of a pattern', [bulk('pmessage'), bulk('*'), bulk(CONSUMER), bulk('x')]],
    ['that invalidate', [bulk('invalidate'), array(bulk('key'))]],
  ])('mean nothing: %s', (_, other) => {
    expect(heard({ kind: 'push', items: other })).toBeNull();
  });
});
