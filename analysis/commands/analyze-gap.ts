/** `gaptrace analyze-gap`: flags to a question, findings to stdout. */
import type { Command } from 'commander';
import { readGapReports } from '../../clients/gap-report.js';
import { openTrace } from '../../proxy/trace/open.js';
import { GaptraceError } from '../../terminal/errors.js';
import { nameOfInput, readLines } from '../../terminal/lines.js';
import { argument } from '../../terminal/program.js';
import { analyze, type Question } from '../analyze.js';
import { renderAnalysis } from '../render/text.js';
import { exitStatusOf } from '../verdict.js';
import {
  EXIT_STATUS,
  fieldsOf,
  formatOf,
  inColour,
  type JudgeOptions,
  parseCount,
  print,
  statusFor,
  withJudging,
} from './flags.js';

interface AnalyzeOptions extends JudgeOptions {
  readonly gaps?: string;
  readonly sender?: string;
  readonly count?: number;
}

export function registerAnalyzeGap(program: Command): void {
  withJudging(
    program
      .command('analyze-gap')
      .description(
        'say what became of messages that a client missed: the Redis operations of each, and the cause',
      )
      .argument('<trace>', 'trace file, as `gaptrace proxy` or `gaptrace import` wrote it')
      .option('--gaps <file>', 'gap reports or a client log, NDJSON, plain or gzip; - is standard input')
      .option('--sender <id>', 'with --count: the message of this sender')
      .option('--count <n>', 'with --sender: the message with this count', argument(parseCount)),
  )
    .addHelpText(
      'after',
      `
Without --gaps and --sender: every loss in the trace.

${EXIT_STATUS}

Example:
  gaptrace analyze-gap gaptrace.db --gaps client.jsonl
  gaptrace analyze-gap gaptrace.db --sender 73cf256d --count 72 --json`,
    )
    .action(runAnalyzeGap);
}

async function runAnalyzeGap(path: string, options: AnalyzeOptions): Promise<void> {
  const question = await questionOf(options);
  const trace = openTrace(path);
  try {
    const analysis = analyze(trace, question, fieldsOf(options));
    switch (formatOf(options)) {
      case 'json':
        await print(`${JSON.stringify(analysis, null, 2)}\n`);
        break;
      case 'ndjson':
        for (const finding of analysis.findings) await print(`${JSON.stringify(finding)}\n`);
        break;
      case 'text':
        await print(renderAnalysis(analysis, inColour()));
    }
    process.exitCode = statusFor(exitStatusOf(analysis.findings), options);
  } finally {
    trace.close();
  }
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
