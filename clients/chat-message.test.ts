import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { printable, readChatMessage } from './chat-message.js';

const read = (text: string) => readChatMessage(Buffer.from(text), false);

describe('a chat message', () => {
  it.each([
    ['{"my_id": "s", "count": 0}', { kind: 'counted', sender: 's', count: 0 }],
    ['{"count":7,"my_id":"s","more":[]}', { kind: 'counted', sender: 's', count: 7 }],
    ['{"connect": "specific.a!b"}', { kind: 'came', channel: 'specific.a!b' }],
    ['{"disconnect": "specific.a!b"}', { kind: 'left', channel: 'specific.a!b' }],
    ['', { kind: 'unknown', problem: 'a message that is not JSON' }],
    ['{"my_id": "s"', { kind: 'unknown', problem: 'a message that is not JSON' }],
    ['null', { kind: 'unknown', problem: 'a message that is not a JSON object' }],
    ['[0]', { kind: 'unknown', problem: 'a message that is not a JSON object' }],
    ['{"count": 1}', { kind: 'unknown', problem: 'a message without a my_id that names its sender' }],
    [
      `{"my_id": "${'s'.repeat(201)}", "count": 1}`,
      { kind: 'unknown', problem: 'a message without a my_id that names its sender' },
    ],
  ])('%s', (text, message) => {
    expect(read(text)).toEqual(message);
  });

  it.each(['"1"', '-1', '1.5', '1e300', 'null'])('has a count that is one: not %s', (count) => {
    expect(read(`{"my_id": "s", "count": ${count}}`)).toEqual({
      kind: 'unknown',
      problem: 'a message whose count is not a whole number from 0',
    });
  });

  it('is text: binary ones are none, whatever they hold', () => {
    expect(readChatMessage(Buffer.from('{"my_id":"s","count":0}'), true)).toEqual({
      kind: 'unknown',
      problem: 'a binary message of 23 bytes',
    });
  });

  it('that is broken is never more than unknown', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
        expect(['counted', 'came', 'left', 'unknown']).toContain(read(text).kind);
      }),
    );
  });
});

describe('text from elsewhere', () => {
  it('cannot command the terminal, nor fill it', () => {
    expect(printable('a\x1b[2Jb\r\n\u202e\u{e0001}é😀')).toBe('a\\u001b[2Jb\\u000d\\u000a\\u202e\\ue0001é😀');
    expect(printable('x'.repeat(501))).toBe(`${'x'.repeat(500)}…`);
  });
});
