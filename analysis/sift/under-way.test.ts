import { describe, expect, it } from 'vitest';
import { hashOf } from './innocents.js';
import { MessagesUnderWay, newMessage } from './under-way.js';

const HASH = 7;
const member = (name: string) => Buffer.from(name, 'latin1');
const messageOf = (name: string, at = 0, hash = HASH) =>
  newMessage(at, name, hash, { requestedUs: 0 } as Parameters<typeof newMessage>[3]);

describe('messages under way', () => {
  it('are told apart by the whole member where their hashes are the same', () => {
    const [start, end] = ['random start', ' the end'];
    const [one, other] = [member(`${start} one ${end}`), member(`${start} two ${end}`)];
    expect(hashOf(1, one)).toBe(hashOf(1, other));

    const messages = new MessagesUnderWay();
    const first = messageOf(one.toString('latin1'), 1, hashOf(1, one));
    messages.add(first);
    expect(messages.get(one, hashOf(1, one))).toBe(first);
    expect(messages.get(other, hashOf(1, other))).toBeUndefined();
  });

  it.each([
    ['first', 'a'],
    ['second', 'b'],
    ['last', 'c'],
  ])('stay when the %s of their hash goes', (_, gone) => {
    const messages = new MessagesUnderWay();
    const all = ['a', 'b', 'c', 'd'].map((name, at) => messageOf(name, at, name === 'd' ? HASH + 1 : HASH));
    for (const message of all) messages.add(message);
    messages.delete(messages.get(member(gone), HASH) as (typeof all)[number]);

    const left = all.filter(({ member }) => member !== gone);
    expect(messages.size).toBe(3);
    expect([...messages].sort((a, b) => a.at - b.at)).toEqual(left);
    expect(messages.get(member(gone), HASH)).toBeUndefined();
    for (const message of left) expect(messages.get(member(message.member), message.hash)).toBe(message);
  });
});
