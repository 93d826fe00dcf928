/**
 * The lines of a file that a user names: plain or gzip (told by its first bytes), `-` for standard input.
 * Nothing is held but the line at hand, so the size of the file does not matter.
 */
import { createReadStream } from 'node:fs';
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { GaptraceError, messageOf } from './errors.js';

/** Longer than any line that is meant; without a limit a file with no line ends would fill the memory. */
const LONGEST_LINE = 256 * 1024 * 1024;

/** The name of a file as an error should show it. */
export function nameOfInput(path: string): string {
  return path === '-' ? 'standard input' : path;
}

/**
 * Yields each line without its end, the last one too where the file does not end in a line end.
 * Throws GaptraceError GAPTRACE_INPUT when the file cannot be opened, read or gunzipped to its end.
 */
export async function* readLines(path: string): AsyncGenerator<string, void, undefined> {
  const text = new TextDecoder();
  let pending = '';
  let line = 0;
  try {
    for await (const chunk of unzipped(path)) {
      const parts = (pending + text.decode(chunk, { stream: true })).split('\n');
      pending = parts.pop() ?? '';
      for (const part of parts) {
        line++;
        yield part.endsWith('\r') ? part.slice(0, -1) : part;
      }
      if (pending.length > LONGEST_LINE) throw new Error('the line does not end: not a file of lines');
    }
  } catch (error) {
    const where = line === 0 ? '' : ` after line ${line}`;
    throw new GaptraceError('GAPTRACE_INPUT', `cannot read ${nameOfInput(path)}${where}: ${explain(error)}`, {
      cause: error,
    });
  }
  pending += text.decode();
  if (pending !== '') yield pending;
}

async function* unzipped(path: string): AsyncGenerator<Buffer> {
  const source: Readable = path === '-' ? process.stdin : createReadStream(path);
  const chunks = source[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let head: Buffer = Buffer.alloc(0);
  while (head.length < 2) {
    const next = await chunks.next();
    if (next.done === true) break;
    head = Buffer.concat([head, next.value]);
  }
  const whole = Readable.from(
    (async function* () {
      yield head;
      for (;;) {
        const next = await chunks.next();
        if (next.done === true) return;
        yield next.value;
      }
    })(),
  );
  const isGzip = head[0] === 0x1f && head[1] === 0x8b;
  // What goes wrong on the way reaches the reader of the last stream; there is nothing to add here.
  yield* isGzip ? pipeline(whole, createGunzip(), () => {}) : whole;
}

function explain(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT') return 'no such file';
  if (code === 'EISDIR') return 'it is a directory';
  if (code === 'EACCES') return 'permission denied';
  if (code === 'Z_BUF_ERROR') return 'the gzip data ends early (the file was cut)';
  if (code?.startsWith('Z_')) return `the gzip data is damaged (${messageOf(error)})`;
  return messageOf(error);
}
