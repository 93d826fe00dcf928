/**
 * What a chat server sends, told apart. Pure: a WebSocket message in, a value out; nothing that a server may send
 * makes it throw.
 *
 *   {"my_id": "<uuid>", "count": n}      a member's message
 *   {"connect": "<channel>"}             a member has come
 *   {"disconnect": "<channel>"}          a member has gone
 */
export type ChatMessage =
  | { readonly kind: 'counted'; readonly sender: string; readonly count: number }
  | { readonly kind: 'came' | 'left'; readonly channel: string }
  /** None of these: `problem` says what is wrong with it. */
  | { readonly kind: 'unknown'; readonly problem: string };

/** Longer sender ids are no ids; a ledger keeps every one it hears of. */
const LONGEST_SENDER = 200;

/** Reads a text message, or a binary one, which no chat server sends. */
export function readChatMessage(data: Buffer, isBinary: boolean): ChatMessage {
  if (isBinary) return unknown(`a binary message of ${data.length} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(data.toString());
  } catch {
    return unknown('a message that is not JSON');
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    return unknown('a message that is not a JSON object');
  const { my_id: sender, count, connect, disconnect } = value as Readonly<Record<string, unknown>>;
  if (typeof connect === 'string') return { kind: 'came', channel: connect };
  if (typeof disconnect === 'string') return { kind: 'left', channel: disconnect };
  if (typeof sender !== 'string' || sender.length > LONGEST_SENDER)
    return unknown('a message without a my_id that names its sender');
  if (typeof count !== 'number' || !Number.isSafeInteger(count) || count < 0)
    return unknown('a message whose count is not a whole number from 0');
  return { kind: 'counted', sender, count };
}

function unknown(problem: string): ChatMessage {
  return { kind: 'unknown', problem };
}

/** Text from elsewhere on one line of a terminal: control characters are shown, not obeyed, and 500 characters are enough. */
export function printable(text: string): string {
  const shown = text.replace(
    /[\p{Cc}\p{Cf}\u2028\u2029]/gu,
    (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
  );
  return shown.length > 500 ? `${shown.slice(0, 500)}…` : shown;
}
