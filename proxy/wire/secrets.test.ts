import { describe, expect, it } from 'vitest';
import { replyMayHoldSecret, secretArguments } from './secrets.js';

/** The words that are secrets. */
function secrets(line: string): string[] {
  const words = line.split(' ');
  const args = words.map((word) => Buffer.from(word));
  return secretArguments((words[0] ?? '').toUpperCase(), args).map((index) => words[index] ?? '');
}

function mayHold(line: string): boolean {
  const words = line.split(' ');
  return replyMayHoldSecret(
    (words[0] ?? '').toUpperCase(),
    words.map((word) => Buffer.from(word)),
  );
}

describe('secretArguments', () => {
  it.each([
    ['AUTH s1', 's1'],
    ['auth user s1', 'user s1'],
    ['HELLO 3 AUTH user s1 SETNAME me', 'user s1'],
    ['HELLO 3 SETNAME me auth user s1', 'user s1'],
    ['HELLO 3 SETNAME AUTH', ''],
    ['HELLO 3', ''],
    ['HELLO', ''],
    ['ACL SETUSER bob on >s1 ~* +@all', 'on >s1 ~* +@all'],
    ['acl setuser bob', ''],
    ['ACL LIST', ''],
    ['ACL DELUSER bob', ''],
    ['CONFIG SET requirepass s1', 's1'],
    ['CONFIG SET maxmemory 1mb masterauth s1 save x', 's1'],
    ['CONFIG SET MasterUser s0 MASTERAUTH s1', 's0 s1'],
    ['CONFIG SET tls-key-file-pass s1 tls-client-key-file-pass s2', 's1 s2'],
    ['CONFIG SET maxmemory 1mb', ''],
    ['CONFIG SET search.api-key s1', 's1'],
    ['CONFIG GET requirepass', ''],
    ['MIGRATE h 1 k 0 9 COPY AUTH s1', 's1'],
    ['MIGRATE h 1 k 0 9 REPLACE auth2 user s1 KEYS a AUTH', 'user s1'],
    ['MIGRATE h 1 k 0 9', ''],
    ['SENTINEL SET mymaster auth-pass s1', 's1'],
    ['SENTINEL SET mymaster quorum 2 auth-user s0', 's0'],
    ['SENTINEL CONFIG SET sentinel-pass s1', 's1'],
    ['MODULE LOADEX /m.so CONFIG a s1', 'CONFIG a s1'],
    ['SET requirepass AUTH', ''],
  ])('%s', (line, expected) => {
    expect(secrets(line).join(' ')).toBe(expected);
  });

  it.each([
    ['HELLO AUTH user s1', 'AUTH user s1'],
    ['HELLO 3 AUTH s1', '3 AUTH s1'],
    ['HELLO s1', 's1'],
    ['ACL SETUSR bob >s1', 'bob >s1'],
    ['ACL DRYRUN bob AUTH s1', 'AUTH s1'],
    ['CONFIG SETT requirepass s1', 'requirepass s1'],
    ['CONFIG SET requirepass s1 s2', 's1 s2'],
    ['CONFIG SET a b c requirepass s1 s2', 's1 s2'],
    ['MIGRATE h 1 k 0 9 AUTHH s1', 'AUTHH s1'],
    ['MIGRATE h 1 k 0 9 COPY AUTH', 'COPY AUTH'],
  ])('takes more for a secret where the request makes no sense: %s', (line, expected) => {
    expect(secrets(line).join(' ')).toBe(expected);
  });
});

describe('replyMayHoldSecret', () => {
  it.each([
    ...[
      'CONFIG GET requirepass',
      'config get *',
      'CONFIG GET save require*',
      'CONFIG GET *auth',
      'CONFIG GET r?quirepass',
    ],
    ...[
      'CONFIG GET requirepas[st]',
      'CONFIG GET [r]equirepass',
      'CONFIG GET requirepas\\s',
      'CONFIG GET MASTER*',
      'CONFIG GET *e*pass*',
    ],
    ...[
      'ACL GETUSER bob',
      'acl list',
      'ACL GENPASS',
      'ACL SETUSER bob <s1',
      'HELLO 3 AUTH s1',
      'HELLO s1',
      'CONFIG SET requirepass s1 s2',
      'SENTINEL CONFIG GET sentinel-*',
    ],
  ])('%s', (line) => {
    expect(mayHold(line)).toBe(true);
  });

  it.each([
    ...[
      'CONFIG GET save',
      'CONFIG GET appendonly',
      'CONFIG GET maxmemory-policy',
      'CONFIG GET maxmemory*',
      'CONFIG GET',
    ],
    ...[
      'ACL WHOAMI',
      'ACL USERS',
      'SENTINEL MASTERS',
      'CONFIG SET requirepass x',
      'HELLO 3 AUTH user s1',
      'HELLO',
      'CONFIG SET save a b',
      'AUTH s1',
      'GET requirepass',
    ],
  ])('not %s', (line) => {
    expect(mayHold(line)).toBe(false);
  });

  it('answers fast for a pattern made to be slow', () => {
    expect(mayHold(`CONFIG GET ${'*e'.repeat(100)}x`)).toBe(false);
  });
});
