import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const ROOMS = ['terminal', 'proxy', 'server', 'clients', 'analysis', 'generate', 'demo'];

/** Names of environment variables look like codes. */
const NOT_CODES = new Set([
  'GAPTRACE_SERVER_PORT',
  'GAPTRACE_TRACE',
  'GAPTRACE_LOG_LEVEL',
  'GAPTRACE_LOG_FORMAT',
]);

function codesIn(text: string): Set<string> {
  return new Set((text.match(/GAPTRACE_[A-Z_]*[A-Z]/g) ?? []).filter((code) => !NOT_CODES.has(code)));
}

test('every error code has its line in docs/errors.md, and every line its code', () => {
  const sources = ROOMS.flatMap((room) =>
    readdirSync(join(ROOT, room), { recursive: true, encoding: 'utf8' }).map((file) =>
      join(ROOT, room, file),
    ),
  )
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .map((file) => readFileSync(file, 'utf8'));
  expect([...codesIn(sources.join('\n'))].sort()).toEqual(
    [...codesIn(readFileSync(join(ROOT, 'docs/errors.md'), 'utf8'))].sort(),
  );
});
