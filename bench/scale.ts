/**
 * What analysis costs over the size of a trace: the built command line, on traces that `gaptrace generate` makes. A question is asked
 * twice where the first answer leaves something behind for the second.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './command-run.js';
import { readTraceFacts } from './trace-facts.js';

export interface ScaleFigures {
  readonly operations: number;
  readonly generateSeconds: number;
  /** To open a trace of which all waits in the spool, and show one row: that is to index it. */
  readonly indexSeconds: number;
  readonly indexPeakRssBytes: number;
  readonly traceBytes: number;
  /** One message, by its sender and count. */
  readonly gapFirstSeconds: number;
  readonly gapAgainSeconds: number;
  readonly gapPeakRssBytes: number;
  readonly auditSeconds: number;
  readonly auditPeakRssBytes: number;
  /** From the start of the command to its first row. */
  readonly queryKeySeconds: number;
}

/** Lost, nothing lost, undecided: all are answers. */
const ANSWERED = [0, 1, 3];
const SEED = '1';

export async function measureScale(
  operations: number,
  parent: string,
  begins: (what: string) => void,
): Promise<ScaleFigures> {
  const directory = mkdtempSync(join(parent, 'scale-'));
  try {
    const trace = join(directory, 't.db');
    const run = (args: readonly string[], statuses?: readonly number[]): ReturnType<typeof runCommand> => {
      begins(args.map((each) => (each === trace ? 'TRACE' : each)).join(' '));
      return runCommand(args, statuses);
    };
    const generated = await run([
      ...['generate', trace, '--operations', String(operations)],
      ...['--seed', SEED, '--unindexed'],
    ]);
    const indexed = await run(['query', trace, 'connections', '--limit', '1']);
    const facts = readTraceFacts(trace);
    const message = messageIn((await run(['query', trace, '--sql', MESSAGE_IN_THE_MIDDLE, '--json'])).stdout);
    const gap = [...['analyze-gap', trace, '--sender', message.sender], ...['--count', message.count]];
    const first = await run(gap, ANSWERED);
    const again = await run(gap, ANSWERED);
    const query = await run(['query', trace, '--key', message.key, '--limit', '20']);
    const audit = await run(['audit', trace], ANSWERED);
    return {
      operations: facts.operations,
      generateSeconds: generated.seconds,
      indexSeconds: indexed.seconds,
      indexPeakRssBytes: indexed.peakRssBytes,
      traceBytes: facts.traceBytes,
      gapFirstSeconds: first.seconds,
      gapAgainSeconds: again.seconds,
      gapPeakRssBytes: Math.max(first.peakRssBytes, again.peakRssBytes),
      auditSeconds: audit.seconds,
      auditPeakRssBytes: audit.peakRssBytes,
      queryKeySeconds: query.firstOutputSeconds ?? query.seconds,
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** A send to a group, half way: neither what a trace begins with nor what it ends with. */
const MESSAGE_IN_THE_MIDDLE =
  'SELECT first_key, request FROM operations ' +
  "WHERE command = 'EVAL' AND id > (SELECT max(id) / 2 FROM operation) AND instr(request, 'my_id') LIMIT 1";

interface SentMessage {
  readonly key: string;
  readonly sender: string;
  readonly count: string;
}

/** The row of such a query: the queue that was sent to, and whose message it was. Throws when there is none. */
export function messageIn(json: string): SentMessage {
  const rows = JSON.parse(json) as readonly { first_key: string; request: string | { base64: string } }[];
  for (const { first_key, request } of rows) {
    const text =
      typeof request === 'string' ? request : Buffer.from(request.base64, 'base64').toString('latin1');
    const [, sender, count] = /"my_id": ?"?([^",]+)"?, ?"count": ?(\d+)/.exec(text) ?? [];
    if (sender !== undefined && count !== undefined) return { key: first_key, sender, count };
  }
  throw new Error(
    `no message to a group, with my_id and count, among these operations: ${json.slice(0, 300)}`,
  );
}
