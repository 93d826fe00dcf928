/** Recordings of real drops whose oldest part is dropped, as `gaptrace proxy --retain` does it: no verdict may turn wrong by that. */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { analyze } from '../analysis/analyze.js';
import { turned, verdicts } from '../analysis/testing/cut-trace.js';
import { type ClientLog, readGapReports } from '../clients/gap-report.js';
import { importCapture } from '../proxy/import/import.js';
import { dropOlder } from '../proxy/trace/drop-older.js';
import { openTrace } from '../proxy/trace/open.js';
import type { Trace } from '../proxy/trace/trace.js';
import { TraceWriter } from '../proxy/trace/writer.js';
import { readLines } from '../terminal/lines.js';
import { ROOT } from './processes.js';

const CUTS = [0.25, 0.45];

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'gaptrace-retained-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function cut(path: string, toUs: number): void {
  const database = new Database(path);
  for (const _ of dropOlder(database, new TraceWriter(database), toUs));
  database.close();
}

/** Of each message that a client missed. */
function answers(trace: Trace, log: ClientLog): Map<string, string> {
  const { findings } = analyze(trace, { ask: 'gaps', log });
  return new Map(
    findings.map(({ sender, count, queue, verdict, cause }) => [
      `${sender} ${count} in ${queue}`,
      `${verdict}: ${cause}`,
    ]),
  );
}

test('the oldest part of a recording dropped, more and more of it', async () => {
  const name = 'resp3';
  const path = join(directory, `${name}.db`);
  const copy = join(directory, `${name}.cut.db`);
  await importCapture({ file: join(ROOT, `examples/${name}.capture.jsonl.gz`), trace: path });
  const log = await readGapReports(readLines(join(ROOT, `examples/${name}.clients.jsonl.gz`)));
  const whole = openTrace(path);
  const [before, answered] = [verdicts(whole), answers(whole, log)];
  copyFileSync(path, copy);
  for (const part of CUTS) {
    cut(copy, Math.floor(whole.watermarkUs * part));
    const trace = openTrace(copy);
    const after = verdicts(trace);
    expect(turned(before, after)).toEqual([]);
    expect(after.size).toBeLessThan(before.size);
    // What was lost after the cut is found as before.
    expect([...after.values()].some((verdict) => verdict.startsWith('lost'))).toBe(true);
    for (const [message, answer] of answers(trace, log))
      if (!answer.startsWith('indeterminate')) expect(answer, message).toBe(answered.get(message));
    trace.close();
  }
  whole.close();
});
