/** `gaptrace audit`: a trace in, the fate of every message to stdout. */
import type { Command } from 'commander';
import { print } from '../../terminal/print.js';
import { ProgressLine } from '../../terminal/progress.js';
import { openTraces } from '../open-traces.js';
import { renderAudit } from '../render/audit-text.js';
import { auditAny } from '../sift/audit-any.js';
import type { SiftedAudit } from '../sift/sifted-audit.js';
import { exitStatusOf, VERDICTS } from '../verdict.js';
import {
  EXIT_STATUS,
  fieldsOf,
  formatOf,
  inColour,
  type JudgeOptions,
  statusFor,
  withJudging,
} from './flags.js';

export function registerAudit(program: Command): void {
  withJudging(
    program
      .command('audit')
      .description('say what became of every message: totals, losses by moment, who had just left, hints')
      .argument(
        '<trace...>',
        'trace file, as `gaptrace proxy` or `gaptrace import` wrote it; of a layer with several Redis hosts that of each',
      ),
  )
    .addHelpText(
      'after',
      `
It counts each message once in every queue that it was put into: by verdict, cause, queue, process and client
library. It puts losses that came together into one moment, with the rooms and recipients hit and the consumer
that had just left; answers the four questions of django/channels#1683 from this trace, or says that it cannot;
and hints at what has lost nothing yet. With --format ndjson a line is one part, and says which: trace, totals,
cluster, minute, answer, hint, and a fate for each message.

${EXIT_STATUS}

Examples:
  gaptrace audit gaptrace.db
  gaptrace audit host-a.db host-b.db
  gaptrace audit gaptrace.db --json | jq '.clusters[].rooms'
  gaptrace audit gaptrace.db --format ndjson | jq 'select(.part == "fate" and .verdict == "lost")'`,
    )
    .action(runAudit);
}

async function runAudit(paths: readonly string[], options: JudgeOptions): Promise<void> {
  const line = new ProgressLine();
  const onRead = (rows: number) => line.update(() => `reading the trace: ${rows.toLocaleString('en')} rows`);
  const trace = openTraces(paths, { onRead });
  try {
    const report = trace.snapshot(() => auditAny(trace, fieldsOf(options), options.prefix ?? []));
    line.clear();
    switch (formatOf(options)) {
      case 'json':
        for (const text of jsonOf(report)) await print(text);
        break;
      case 'ndjson':
        for (const line of partsOf(report)) await print(`${JSON.stringify(line)}\n`);
        break;
      case 'text':
        await print(renderAudit(report, inColour()));
    }
    // What was under way when the trace ended is not undecided: every trace ends while something is.
    const ended = VERDICTS.filter((verdict) => verdict !== 'in-flight' && report.totals.verdicts[verdict]);
    process.exitCode = statusFor(exitStatusOf(ended.map((verdict) => ({ verdict }))), options);
  } finally {
    line.clear();
    trace.close();
  }
}

/** One JSON text, with each fate on a line of its own: there are as many as messages. */
function* jsonOf({ fates, ...report }: SiftedAudit): Generator<string> {
  yield `${JSON.stringify(report, null, 2).slice(0, -'\n}'.length)},\n  "fates": [`;
  let some = false;
  for (const fate of fates) {
    yield `${some ? ',' : ''}\n    ${JSON.stringify(fate)}`;
    some = true;
  }
  yield `${some ? '\n  ' : ''}]\n}\n`;
}

function* partsOf({ schema, trace, totals, clusters, per_minute, answers, hints, fates }: SiftedAudit) {
  yield { part: 'trace', schema, ...trace };
  yield { part: 'totals', ...totals };
  for (const cluster of clusters) yield { part: 'cluster', ...cluster };
  for (const minute of per_minute) yield { part: 'minute', ...minute };
  for (const answer of answers) yield { part: 'answer', ...answer };
  for (const hint of hints) yield { part: 'hint', ...hint };
  for (const fate of fates) yield { part: 'fate', ...fate };
}
