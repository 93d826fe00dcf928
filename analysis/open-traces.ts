/** Opens the trace of each Redis host, to be read as one: of all or of none. */
import { resolve } from 'node:path';
import { type OpenOptions, openTrace } from '../proxy/trace/open.js';
import type { Trace } from '../proxy/trace/trace.js';
import { GaptraceError } from '../terminal/errors.js';
import { joinTraces } from './several-traces.js';

/** Throws GaptraceError GAPTRACE_USAGE where one file is named twice, or what openTrace throws; nothing stays open then. */
export function openTraces(paths: readonly string[], options: OpenOptions = {}): Trace {
  const twice = paths.find((path, at) => paths.findIndex((other) => resolve(other) === resolve(path)) < at);
  if (twice !== undefined)
    throw new GaptraceError(
      'GAPTRACE_USAGE',
      `${twice} is named twice: name the trace of each Redis host once`,
    );
  const opened: Trace[] = [];
  try {
    for (const path of paths) opened.push(openTrace(path, options));
    return joinTraces(opened);
  } catch (error) {
    for (const trace of opened) trace.close();
    throw error;
  }
}
