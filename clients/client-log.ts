/**
 * A file of NDJSON that a client or a swarm writes while it runs: gap reports, or a log of everything. Only its owner
 * can read it (0600): it names who talked with whom, and when.
 */
import { createWriteStream, openSync, writeSync } from 'node:fs';
import { finished } from 'node:stream/promises';
import { GaptraceError, messageOf } from '../terminal/errors.js';
import type { SwarmEvent } from './swarm.js';

/** An event as the line of a client log (gap-report.ts reads it), without the line's end. */
export function eventLine(event: SwarmEvent): string {
  const { t, event: kind, ...what } = event;
  return JSON.stringify({ schema: 1, event: kind, ...what, t });
}

/** Few lines, each on the disk when `line` returns; what the file held before stays. Throws GAPTRACE_CLIENT_LOG. */
export function appendLines(path: string): (line: string) => void {
  const attempt = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      throw notWritten(path, error);
    }
  };
  const file = attempt(() => openSync(path, 'a', 0o600));
  return (line) => {
    attempt(() => writeSync(file, `${line}\n`));
  };
}

export interface LineStream {
  line(text: string): void;
  /** Rejects with GAPTRACE_CLIENT_LOG where not everything could be written. */
  close(): Promise<void>;
}

/** Many lines, written behind; a file that is there is replaced. `onError` is told when it cannot be written any more. */
export async function writeLines(path: string, onError: () => void): Promise<LineStream> {
  const stream = createWriteStream(path, { flags: 'w', mode: 0o600 });
  const done = finished(stream);
  done.catch(onError);
  await new Promise<void>((resolve, reject) => {
    stream.once('open', () => resolve());
    stream.once('error', (error) => reject(notWritten(path, error)));
  });
  return {
    line: (text) => {
      if (!stream.errored) stream.write(`${text}\n`);
    },
    async close() {
      stream.end();
      await done.catch((error: unknown) => {
        throw notWritten(path, error);
      });
    },
  };
}

function notWritten(path: string, error: unknown): GaptraceError {
  return new GaptraceError('GAPTRACE_CLIENT_LOG', `cannot write ${path}: ${messageOf(error)}`, {
    cause: error,
  });
}
