/** `gaptrace query`: flags to a filter, the rows of a trace to stdout. */
import { type Command, InvalidArgumentError } from 'commander';
import { openTrace } from '../../proxy/trace/open.js';
import type { OperationFilter, Trace } from '../../proxy/trace/trace.js';
import { parseDuration } from '../../terminal/duration.js';
import { print } from '../../terminal/print.js';
import { argument } from '../../terminal/program.js';
import {
  connectionLine,
  holeLine,
  jsonBytes,
  jsonConnection,
  jsonHole,
  jsonOperation,
  operationLine,
} from '../query.js';
import { seconds } from '../question.js';
import { type Format, formatOf, type Output, parseCount, withFormat } from './flags.js';

interface QueryOptions extends Output {
  readonly command: readonly string[];
  readonly key?: string;
  readonly connection?: number;
  readonly since?: number;
  readonly until?: number;
  readonly text?: string;
  readonly sql?: string;
  readonly limit?: number;
}

const TABLES = ['operations', 'connections', 'holes'] as const;
type Table = (typeof TABLES)[number];

export function registerQuery(program: Command): void {
  withFormat(
    program
      .command('query')
      .description('show the operations, connections or holes of a trace')
      .argument('<trace>', 'trace file')
      .argument('[table]', `what to show: ${TABLES.join(', ')}`, argument(parseTable), 'operations')
      .option(
        '--command <name>',
        'only this command (may be given again)',
        (name: string, names: readonly string[]) => [...names, name.toUpperCase()],
        [] as readonly string[],
      )
      .option('--key <glob>', 'only operations with a key like this (*, ?, [a-z])')
      .option('--connection <n>', 'only this connection', argument(parseCount))
      .option(
        '--since <time>',
        'requested at or after: seconds from the start such as 9.5s, or a date',
        parseMoment,
      )
      .option('--until <time>', 'requested before: the same', parseMoment)
      .option('--text <text>', 'only operations with this text in request or reply')
      .option('--limit <n>', 'stop after so many rows', argument(parseCount))
      .option('--sql <statement>', 'a SELECT of your own instead (read-only)'),
  )
    .addHelpText(
      'after',
      `
Examples:
  gaptrace query gaptrace.db --command BZPOPMIN --key '*specific*' --since 9.5s --until 10s
  gaptrace query gaptrace.db connections
  gaptrace query gaptrace.db --sql 'SELECT command, count(*) AS n FROM operations GROUP BY command'`,
    )
    .action(runQuery);
}

async function runQuery(path: string, table: Table, options: QueryOptions): Promise<void> {
  const trace = openTrace(path);
  try {
    sayBeginning(trace);
    await printRows(
      rowsOf(trace, table, options),
      formatOf(options),
      options.limit ?? Number.POSITIVE_INFINITY,
    );
  } finally {
    trace.close();
  }
}

/** On stderr: the rows are for programs too. */
function sayBeginning(trace: Trace): void {
  const fromUs = Number(trace.meta.get('retained_from_us') ?? 0);
  if (fromUs > 0)
    process.stderr.write(
      `the trace begins at ${seconds(fromUs)}: what was older has been dropped (--retain)\n`,
    );
}

interface Row {
  readonly text: string;
  readonly json: unknown;
}

function* rowsOf(trace: Trace, table: Table, options: QueryOptions): Generator<Row> {
  if (options.sql !== undefined) {
    for (const row of trace.sql(options.sql)) {
      const json = Object.fromEntries(Object.entries(row).map(([name, value]) => [name, jsonValue(value)]));
      yield {
        text: Object.values(json)
          .map((value) => (typeof value === 'string' ? value : JSON.stringify(value)))
          .join('\t'),
        json,
      };
    }
    return;
  }
  switch (table) {
    case 'connections':
      for (const connection of trace.connections())
        yield { text: connectionLine(connection), json: jsonConnection(connection) };
      return;
    case 'holes':
      for (const hole of trace.holes()) yield { text: holeLine(hole), json: jsonHole(hole) };
      return;
    case 'operations':
      for (const operation of trace.operations(filterOf(options, trace)))
        yield { text: operationLine(operation), json: jsonOperation(operation) };
  }
}

function filterOf(
  { command, key, connection, since, until, text }: QueryOptions,
  trace: Trace,
): OperationFilter {
  return {
    ...(command.length > 0 ? { commands: command } : {}),
    ...(key === undefined ? {} : { key }),
    ...(connection === undefined ? {} : { connection }),
    ...(since === undefined ? {} : { sinceUs: fromStart(since, trace) }),
    ...(until === undefined ? {} : { untilUs: fromStart(until, trace) }),
    ...(text === undefined ? {} : { text }),
  };
}

/** A date is told from seconds after the start by its size: no trace is thirty years long. */
const EARLIEST_DATE_US = 1e15;

function fromStart(us: number, trace: Trace): number {
  return us >= EARLIEST_DATE_US ? us - trace.startedUnixUs : us;
}

function jsonValue(value: unknown): unknown {
  if (value instanceof Uint8Array) return jsonBytes(value);
  return typeof value === 'bigint'
    ? Number.isSafeInteger(Number(value))
      ? Number(value)
      : String(value)
    : value;
}

async function printRows(rows: Iterable<Row>, format: Format, limit: number): Promise<void> {
  let printed = 0;
  if (format === 'json') await print('[');
  for (const { text, json } of rows) {
    if (printed >= limit) break;
    if (format === 'json') await print(`${printed === 0 ? '' : ','}\n  ${JSON.stringify(json)}`);
    else await print(`${format === 'ndjson' ? JSON.stringify(json) : text}\n`);
    printed++;
  }
  if (format === 'json') await print(printed === 0 ? ']\n' : '\n]\n');
}

function parseTable(text: string): Table {
  const table = TABLES.find((known) => known === text);
  if (!table) throw new InvalidArgumentError(`'${text}' is none of ${TABLES.join(', ')}`);
  return table;
}

/** Microseconds: from the trace's start for `9.5s` or `+9.5s`, since 1970 for a date. */
function parseMoment(text: string): number {
  const date = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(date)) return date * 1000;
  try {
    return parseDuration(text.replace(/^\+/, ''));
  } catch {
    throw new InvalidArgumentError(
      `'${text}' is neither a time from the start, such as 9.5s, nor a date, such as 2026-11-23T12:00:00Z`,
    );
  }
}
