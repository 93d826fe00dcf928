/** `gaptrace analyze-gap`: flags to a question, findings to stdout. */
import { type Command, Option } from 'commander';
import { readGapReports } from '../../clients/gap-report.js';
import type { Trace } from '../../proxy/trace/trace.js';
import { parseDuration } from '../../terminal/duration.js';
import { GaptraceError } from '../../terminal/errors.js';
import { nameOfInput, readLines } from '../../terminal/lines.js';
import { print } from '../../terminal/print.js';
import { argument } from '../../terminal/program.js';
import { ProgressLine } from '../../terminal/progress.js';
import { type Analysis, analyze, type Question } from '../analyze.js';
import { analyzeMessage } from '../focus/ask-message.js';
import { openTraces } from '../open-traces.js';
import { renderJunit } from '../render/junit.js';
import { renderAnalysis } from '../render/text.js';
import { exitStatusOf } from '../verdict.js';
import {
  EXIT_STATUS,
  fieldsOf,
  formatOf,
  inColour,
  type JudgeOptions,
  parseCount,
  statusFor,
  withJudging,
} from './flags.js';
import { DEFAULT_PATIENCE_US, followGaps } from './follow.js';

interface AnalyzeOptions extends JudgeOptions {
  readonly gaps?: string;
  readonly sender?: string;
  readonly count?: number;
  readonly follow?: true;
  /** Microseconds. */
  readonly patience: number;
}

export function registerAnalyzeGap(program: Command): void {
  withJudging(
    program
      .command('analyze-gap')
      .description(
        'say what became of messages that a client missed: the Redis operations of each, and the cause',
      )
      .argument(
        '<trace...>',
        'trace file, as `gaptrace proxy` or `gaptrace import` wrote it; of a layer with several Redis hosts that of each',
      )
      .option('--gaps <file>', 'gap reports or a client log, NDJSON, plain or gzip; - is standard input')
      .option('--sender <id>', 'with --count: the message of this sender')
      .option('--count <n>', 'with --sender: the message with this count', argument(parseCount))
      .option('--follow', 'answer each gap as it comes in, on a trace that is being written (see below)')
      .addOption(
        new Option('--patience <time>', 'with --follow: how long a gap may wait until the trace decides it')
          .argParser(argument(parseDuration))
          .default(DEFAULT_PATIENCE_US, '5s'),
      ),
    'junit',
  )
    .addHelpText(
      'after',
      `
Without --gaps and --sender: every loss in the trace.

The first --sender and --count on a trace of 100,000 operations or more makes an index of its messages beside it
(TRACE-messages, which may be removed), so that the next ones are answered without reading the whole trace.

With --follow: gap reports or a client log come in on standard input, or in a file that grows (--gaps FILE), and
each gap is answered once the trace decides it, or after --patience as far as it is known then. It ends when the
input ends; when the trace has ended and nothing has come in for as long as --patience; or at SIGINT or SIGTERM,
after answering what waits. --json is --format ndjson there: a line a finding, as it is made.

${EXIT_STATUS}
130 or 143 when --follow was ended by SIGINT or SIGTERM.

Examples:
  gaptrace analyze-gap gaptrace.db --gaps client.jsonl
  gaptrace analyze-gap gaptrace.db --sender 73cf256d --count 72 --json
  gaptrace analyze-gap host-a.db host-b.db
  gaptrace analyze-gap gaptrace.db --prefix chat
  gaptrace analyze-gap gaptrace.db --format junit >gaptrace.xml
  tail -qf client-*.jsonl | gaptrace analyze-gap gaptrace.db --follow`,
    )
    .action(runAnalyzeGap);
}

async function runAnalyzeGap(paths: readonly string[], options: AnalyzeOptions): Promise<void> {
  if (options.follow) {
    const [path, ...others] = paths;
    if (path === undefined || others.length > 0)
      throw new GaptraceError('GAPTRACE_USAGE', '--follow reads one trace: give the others without it');
    return runFollow(path, options);
  }
  const question = await questionOf(options);
  const trace = openTraces(paths);
  try {
    const analysis = answered(trace, question, options);
    switch (formatOf(options)) {
      case 'json':
        await print(`${JSON.stringify(analysis, null, 2)}\n`);
        break;
      case 'ndjson':
        for (const finding of analysis.findings) await print(`${JSON.stringify(finding)}\n`);
        break;
      case 'junit':
        await print(renderJunit(analysis));
        break;
      case 'text':
        await print(renderAnalysis(analysis, inColour()));
    }
    process.exitCode = statusFor(exitStatusOf(analysis.findings), options);
  } finally {
    trace.close();
  }
}

function answered(trace: Trace, question: Question, options: AnalyzeOptions): Analysis {
  const fields = fieldsOf(options);
  if (question.ask !== 'message') return analyze(trace, question, fields, options.prefix);
  const line = new ProgressLine();
  const progress = (done: number, of: number) =>
    line.update(() => `indexing messages: ${Math.floor((100 * done) / of)} %`);
  try {
    return analyzeMessage(trace, question, { fields, prefixes: options.prefix ?? [], progress });
  } finally {
    line.clear();
  }
}

async function runFollow(path: string, options: AnalyzeOptions): Promise<void> {
  const { gaps = '-', sender, count, patience } = options;
  if (sender !== undefined || count !== undefined)
    throw new GaptraceError(
      'GAPTRACE_USAGE',
      '--follow takes gaps as they come in, not --sender and --count',
    );
  const format = formatOf(options);
  if (format === 'junit')
    throw new GaptraceError(
      'GAPTRACE_USAGE',
      '--format junit is a report of a whole run: ask for it without --follow, when the run is over',
    );
  const status = await followGaps(path, {
    input: gaps,
    patienceUs: patience,
    fields: fieldsOf(options),
    prefixes: options.prefix ?? [],
    ...(format === 'text' ? { format, colour: inColour() } : { format: 'ndjson' }),
  });
  process.exitCode = statusFor(status, options);
}

async function questionOf({ gaps, sender, count }: AnalyzeOptions): Promise<Question> {
  if (gaps !== undefined) {
    if (sender !== undefined || count !== undefined)
      throw new GaptraceError('GAPTRACE_USAGE', 'give either --gaps or --sender with --count, not both');
    return { ask: 'gaps', log: await readGapReports(readLines(gaps), nameOfInput(gaps)) };
  }
  if (sender === undefined && count === undefined) return { ask: 'losses' };
  if (sender === undefined || count === undefined)
    throw new GaptraceError(
      'GAPTRACE_USAGE',
      '--sender and --count go together: which sender, and which of its messages',
    );
  return { ask: 'message', sender, count };
}
