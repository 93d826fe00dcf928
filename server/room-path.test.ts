import { expect, test } from 'vitest';
import { destinationOf } from './room-path.js';

test.each([
  ['/ws/chat/room_a/', 'room_a'],
  ['/ws/chat/Room-1.x_y/?token=1', 'Room-1.x_y'],
  ['/ws/chat/room%5Fa/', 'room_a'],
  [`/ws/chat/${'x'.repeat(80)}/`, 'x'.repeat(80)],
])('%s is a room', (target, room) => {
  expect(destinationOf(target)).toEqual({ kind: 'room', room });
});

test.each([
  '//',
  '/a b/',
  '/%20/',
  '/%/',
  '/%2F/',
  `/${'x'.repeat(81)}/`,
  '/%C3%A9/',
  '/room!/',
  '/room%0A/',
])('/ws/chat%s is no name for a room', (rest) => {
  expect(destinationOf(`/ws/chat${rest}`)).toEqual({ kind: 'bad-name' });
});

test.each(['/', '', '/ws/chat/room_a', '/ws/chat/a/b/', '/ws/chat', '/x/ws/chat/a/', 'http://h/ws/chat/a/'])(
  '%j is nothing',
  (target) => {
    expect(destinationOf(target)).toEqual({ kind: 'nothing' });
  },
);

test('the health of the server', () => {
  expect(destinationOf('/healthz?now')).toEqual({ kind: 'health' });
});
