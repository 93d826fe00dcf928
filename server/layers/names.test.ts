import { describe, expect, it } from 'vitest';
import { checkChannelName, checkGroupName, isProcessChannel, queueNameOf } from './names.js';

const named = { code: 'GAPTRACE_LAYER_NAME' };

describe('the name of a channel', () => {
  it.each(['a', 'specific.0123456789abcdef!q', 'work-er_1.x', 'process!', 'a'.repeat(99)])(
    'may be %s',
    (name) => {
      expect(() => checkChannelName(name)).not.toThrow();
    },
  );

  it.each(['', ' ', 'a b', 'grüße', 'a!b!c', '!x', 'a/b', 'a\n', 'a!ü', 'a'.repeat(100)])(
    'may not be %j',
    (name) => {
      expect(() => checkChannelName(name)).toThrow(expect.objectContaining(named));
    },
  );

  it('is text', () => {
    for (const name of [undefined, null, 7, Buffer.from('a')] as unknown as string[])
      expect(() => checkChannelName(name)).toThrow(expect.objectContaining(named));
  });
});

describe('the name of a group', () => {
  it.each(['room', 'channels_group_room-1.a', 'a'.repeat(99)])('may be %s', (name) => {
    expect(() => checkGroupName(name)).not.toThrow();
  });

  it.each(['', 'a!', 'a b', 'räume', 'a\n', 'a'.repeat(100)])('may not be %j', (name) => {
    expect(() => checkGroupName(name)).toThrow(expect.objectContaining(named));
  });
});

it('a channel with a mark goes through the queue of its process, another through its own', () => {
  expect(queueNameOf('specific.abc!def')).toBe('specific.abc!');
  expect(queueNameOf('specific.abc!')).toBe('specific.abc!');
  expect(queueNameOf('work')).toBe('work');
  expect([isProcessChannel('specific.abc!def'), isProcessChannel('work')]).toEqual([true, false]);
});
