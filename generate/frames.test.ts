import { expect, test } from 'vitest';
import { encodeMember } from '../server/layers/message.js';
import { memberBulk, memberIn, recipientsPart, senderPart } from './frames.js';

const SENDER = `specific.${'a'.repeat(32)}!${'b'.repeat(32)}`;

test.each([1, 15, 16, 300])('a member for %d is the bytes that the layer would send', (howMany) => {
  const recipients = Array.from(
    { length: howMany },
    (_, n) => `specific.${'c'.repeat(32)}!${String(n).padStart(32, '0')}`,
  );
  const said = `{"my_id": "${'d'.repeat(36)}", "count": 7}`;
  const bulk = memberBulk(() => 0.5, said, senderPart(SENDER), recipientsPart(recipients));
  const random = Buffer.from('000000800000008000000080', 'hex');
  const message = {
    type: 'chat_send',
    text_data: said,
    bytes_data: null,
    sender_channel_name: SENDER,
    __asgi_channel__: recipients,
  };
  const member = Buffer.from(encodeMember(message, random));
  expect(memberIn(bulk)).toEqual(member);
  expect(bulk).toEqual(Buffer.concat([Buffer.from(`$${member.length}\r\n`), member, Buffer.from('\r\n')]));
});
