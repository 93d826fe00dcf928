import { describe, expect, it } from 'vitest';
import { encodeMember } from '../server/layers/message.js';
import { DEFAULT_FIELDS, readPayload } from './payload.js';

const member = (message: Record<string, unknown>) => Buffer.from(encodeMember(message, new Uint8Array(12)));

describe('sender and count', () => {
  it('are my_id and count in the JSON of text_data', () => {
    const chat = member({ text_data: '{"my_id":"a","count":7}', __asgi_channel__: ['x!1', 'x!2'] });
    expect(readPayload(chat)).toEqual({
      sender: 'a',
      count: 7,
      channel: null,
      recipients: ['x!1', 'x!2'],
      excerpt: '{"my_id":"a","count":7}',
    });
  });

  it.each([
    ['at the top', { user: 5, seq: 9 }, 'user', 'seq'],
    ['nested', { body: { who: { id: '5' }, n: 9 } }, 'body.who.id', 'body.n'],
    [
      'in JSON held in a string, twice',
      { body: JSON.stringify({ inner: JSON.stringify({ id: '5', n: 9 }) }) },
      'body.inner.id',
      'body.inner.n',
    ],
    ['relative to text_data', { text_data: '{"uid":"5","n":9}' }, 'uid', 'n'],
  ])('or other fields: %s', (_, message, sender, count) => {
    expect(readPayload(member(message), { ...DEFAULT_FIELDS, sender, count })).toMatchObject({
      sender: '5',
      count: 9,
    });
  });

  it('its channel is sender_channel_name, or another field', () => {
    const chat = member({ sender_channel_name: 'x!1', who: { channel: 'x!2' } });
    expect(readPayload(chat).channel).toBe('x!1');
    expect(readPayload(chat, { ...DEFAULT_FIELDS, channel: 'who.channel' }).channel).toBe('x!2');
  });

  it('are read where the member has no random start, as before channels_redis 3', () => {
    const whole = member({ text_data: '{"my_id":"a","count":7}', __asgi_channel__: 'x!1' });
    expect(readPayload(whole.subarray(12))).toMatchObject({ sender: 'a', count: 7, recipients: ['x!1'] });
  });

  it.each([
    ['an encrypted body', Buffer.concat([Buffer.alloc(12), Buffer.from('gAAAAABf')])],
    ['too short', Buffer.alloc(5)],
    ['text_data that is not JSON', member({ text_data: 'hello' })],
    ['a count that is not whole', member({ text_data: '{"my_id":null,"count":1.5}' })],
    ['a path into a prototype', member({ text_data: '{"my_id":{},"count":"7"}' })],
  ])('are unknown in %s', (_, bytes) => {
    expect(readPayload(bytes)).toMatchObject({ sender: null, count: null });
  });
});
