import { expect, test } from 'vitest';
import { messageIn } from './scale.js';

const request = 'EVAL … {"my_id": "tester-1", "count": 72, "text": "hello"} …';
const MESSAGE = { key: 'asgi:specific.1!', sender: 'tester-1', count: '72' };

test.each([
  ['text', request],
  ['bytes', { base64: Buffer.from(`\xff${request}`, 'latin1').toString('base64') }],
  ['compact JSON', request.replaceAll(': ', ':').replaceAll(', ', ',')],
])('the message in a request as %s', (_, shown) => {
  expect(messageIn(JSON.stringify([{ first_key: MESSAGE.key, request: shown }]))).toEqual(MESSAGE);
});

test('no message', () => {
  expect(() => messageIn('[{"first_key":"a","request":"EVAL"}]')).toThrow('no message to a group');
});
