/**
 * WebSocket close codes by name, so that `1013` is not a riddle. Names are those of the IANA registry of RFC 6455;
 * 1005 and 1006 are never sent: they say that no code came, and that the connection broke.
 */
const NAMES: Readonly<Record<number, string>> = {
  1000: 'normal closure',
  1001: 'going away',
  1002: 'protocol error',
  1003: 'unsupported data',
  1005: 'no code given',
  1006: 'the connection broke',
  1007: 'invalid text',
  1008: 'policy violation',
  1009: 'message too big',
  1010: 'extension missing',
  1011: 'internal error',
  1012: 'service restart',
  1013: 'try again later',
  1014: 'bad gateway',
  1015: 'TLS handshake failed',
};

/** `1013 (try again later)`; with the server's own words where it gave some: `1008 (policy violation): bad room`. */
export function describeClose(code: number, reason = ''): string {
  const name = NAMES[code] ?? (code >= 3000 ? 'a code of the application' : 'a code without a name');
  return `${code} (${name})${reason === '' ? '' : `: ${reason}`}`;
}
