/**
 * The lines of a file that somebody is still writing, as `tail -f` shows them: from its beginning, and on as it grows. What cannot grow
 * is read to its end as ever: standard input and pipes (which wait by themselves), and gzip.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { GaptraceError, messageOf } from './errors.js';
import { readLines } from './lines.js';

/** How often a file is looked at again, ms. Notifications of the file system do not reach every kind of disk. */
const LOOK_EVERY_MS = 100;
const CHUNK = 64 * 1024;

/**
 * Yields each whole line without its end; a last one without an end is still being written. Ends when `signal` is aborted.
 * Throws GaptraceError GAPTRACE_INPUT when the file cannot be read, or gets shorter.
 */
export async function* followLines(
  path: string,
  signal: AbortSignal,
): AsyncGenerator<string, void, undefined> {
  const file = path === '-' ? null : await growing(path);
  if (!file) {
    yield* readLines(path);
    return;
  }
  const text = new TextDecoder();
  let pending = '';
  try {
    for await (const chunk of chunksOf(file, path, signal)) {
      const parts = (pending + text.decode(chunk, { stream: true })).split('\n');
      pending = parts.pop() ?? '';
      for (const part of parts) yield part.endsWith('\r') ? part.slice(0, -1) : part;
    }
  } finally {
    await file.close();
  }
}

/** The file, where it is one that can grow. What cannot be opened `readLines` says better. */
async function growing(path: string): Promise<FileHandle | null> {
  let file: FileHandle;
  try {
    file = await open(path);
  } catch {
    return null;
  }
  if ((await file.stat()).isFile()) {
    const head = Buffer.alloc(2);
    await file.read(head, 0, 2, 0);
    if (head[0] !== 0x1f || head[1] !== 0x8b) return file;
  }
  await file.close();
  return null;
}

async function* chunksOf(file: FileHandle, path: string, signal: AbortSignal): AsyncGenerator<Buffer> {
  const buffer = Buffer.alloc(CHUNK);
  let position = 0;
  while (!signal.aborted) {
    const { bytesRead } = await file.read(buffer, 0, CHUNK, position).catch((error: unknown) => {
      throw new GaptraceError('GAPTRACE_INPUT', `cannot read ${path}: ${messageOf(error)}`, { cause: error });
    });
    position += bytesRead;
    if (bytesRead > 0) yield buffer.subarray(0, bytesRead);
    else if ((await file.stat()).size < position)
      throw new GaptraceError(
        'GAPTRACE_INPUT',
        `cannot follow ${path}: it got shorter than what was read of it; write a log to its end, and follow the next one`,
      );
    else await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => {});
  }
}
