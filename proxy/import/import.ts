/**
 * A capture into a trace, through the code that live traffic goes through (../whole-trace.ts): the trace is there when it is whole, or not
 * at all.
 */
import { GaptraceError } from '../../terminal/errors.js';
import { nameOfInput, readLines } from '../../terminal/lines.js';
import { type TraceCounts, WholeTrace } from '../whole-trace.js';
import { CAPTURE_FORMAT, type CaptureEvent, CaptureReader } from './capture.js';
import { Replay } from './replay.js';

export interface ImportProgress {
  readonly lines: number;
  readonly atUs: number;
}

export interface ImportOptions {
  readonly file: string;
  readonly trace: string;
  /** Goes into `meta`. */
  readonly meta?: Readonly<Record<string, string>>;
  readonly onProgress?: (progress: ImportProgress) => void;
  /** Aborted: the import stops, leaves nothing, and throws the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface ImportSummary extends TraceCounts {
  readonly durationUs: number;
}

/**
 * Imports a file of the format redis-wire-capture/1, plain or gzip, `-` for standard input.
 * @throws GaptraceError GAPTRACE_INPUT, GAPTRACE_CAPTURE, GAPTRACE_TRACE_EXISTS, GAPTRACE_TRACE_CREATE; nothing is left behind.
 */
export async function importCapture(options: ImportOptions): Promise<ImportSummary> {
  const { file, trace, signal } = options;
  const target = new WholeTrace(trace, 'importing');
  const lines = readLines(file);
  try {
    const summary = await Promise.race([feed(options, lines, target), aborted(signal)]);
    target.putInPlace();
    return summary;
  } finally {
    target.discard();
    // Not waited for: a read from a terminal or a pipe may never come back.
    lines.return().catch(() => {});
  }
}

/** All lines of the capture into the trace, which is whole afterwards. */
async function feed(
  options: ImportOptions,
  lines: AsyncGenerator<string, void, undefined>,
  target: WholeTrace,
): Promise<ImportSummary> {
  const { signal, onProgress } = options;
  const name = nameOfInput(options.file);
  const reader = new CaptureReader(name);
  const first = await lines.next();
  signal?.throwIfAborted();
  if (first.done === true) throw new GaptraceError('GAPTRACE_CAPTURE', `cannot import ${name}: it is empty`);
  const { startedUnixUs, delayUs } = reader.header(first.value);
  target.create(startedUnixUs, {
    ...options.meta,
    source: 'import',
    capture_file: name,
    capture_format: CAPTURE_FORMAT,
    latency_us: String(delayUs),
  });
  const replay = new Replay(target.write, delayUs);
  let atUs = 0;
  for await (const event of events(lines, reader)) {
    signal?.throwIfAborted();
    replay.event(event);
    atUs = event.atUs;
    onProgress?.({ lines: reader.line, atUs });
  }
  replay.end(atUs);
  return { ...target.finish(atUs), durationUs: atUs };
}

/** Rejects with the signal's reason once it is aborted. */
function aborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    if (signal?.aborted === true) reject(signal.reason);
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

/** The events of all lines but the first, read one line ahead: to know the last. */
async function* events(
  lines: AsyncIterator<string>,
  reader: CaptureReader,
): AsyncGenerator<CaptureEvent, void, undefined> {
  let line = await lines.next();
  while (line.done !== true) {
    const next = await lines.next();
    if (line.value !== '' || next.done !== true) yield reader.event(line.value, next.done === true);
    line = next;
  }
}
