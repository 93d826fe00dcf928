import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { appendLines, eventLine, writeLines } from './client-log.js';

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'gaptrace-log-'));
  path = join(directory, 'log.ndjson');
});
afterEach(() => rmSync(directory, { recursive: true }));

it('an event is a line of a client log, as in examples/', () => {
  const message = { client: 'room_a-0', room: 'room_a', sender: 's', count: 0 };
  expect(eventLine({ t: 0.073626, event: 'send', ...message })).toBe(
    '{"schema":1,"event":"send","client":"room_a-0","room":"room_a","sender":"s","count":0,"t":0.073626}',
  );
});

describe('gap reports', () => {
  it('are added to what is there, and only their owner can read them', () => {
    appendLines(path)('one');
    const append = appendLines(path);
    append('two');
    expect(readFileSync(path, 'utf8')).toBe('one\ntwo\n'); // there at once
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('that cannot be written are an error with the name of the file', () => {
    expect(() => appendLines(directory)).toThrow(
      expect.objectContaining({
        code: 'GAPTRACE_CLIENT_LOG',
        message: expect.stringContaining(`cannot write ${directory}: EISDIR`),
      }),
    );
    expect(() => appendLines('/dev/full')('one')).toThrow(
      expect.objectContaining({ message: expect.stringContaining('cannot write /dev/full: ENOSPC') }),
    );
  });
});

describe('a log of everything', () => {
  it('takes the place of what was there, and only its owner can read it', async () => {
    const log = await writeLines(path, () => expect.unreachable());
    for (let i = 0; i < 10_000; i++) log.line(`line ${i}`);
    await log.close();
    expect(readFileSync(path, 'utf8').split('\n')).toHaveLength(10_001);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    writeFileSync(path, 'old\n');
    await (await writeLines(path, () => expect.unreachable())).close();
    expect(readFileSync(path, 'utf8')).toBe('');
  });

  it('says so when it cannot be written any more, once it is known and at the end', async () => {
    let told = 0;
    const log = await writeLines('/dev/full', () => told++);
    log.line('x'.repeat(100_000));
    await expect(log.close()).rejects.toMatchObject({
      code: 'GAPTRACE_CLIENT_LOG',
      message: expect.stringContaining('cannot write /dev/full: ENOSPC'),
    });
    expect(told).toBe(1);
  });

  it('is refused at once where there is no such directory', async () => {
    await expect(writeLines(join(directory, 'none/log'), () => {})).rejects.toMatchObject({
      code: 'GAPTRACE_CLIENT_LOG',
    });
  });
});
