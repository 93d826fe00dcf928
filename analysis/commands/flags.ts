/** What the commands of this folder have in common: how to print, which fields a payload names its sender, count and channel by, and the exit status. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { DEFAULT_FIELDS, type PayloadFields } from '../payload.js';

export type Format = 'text' | 'json' | 'ndjson' | 'junit';

export interface Output {
  readonly format: Format;
  readonly json?: true;
}

/** `more`: formats that not every command has. */
export function withFormat(command: Command, ...more: readonly Format[]): Command {
  return command
    .addOption(
      new Option('--format <format>', 'how to print')
        .choices(['text', 'json', 'ndjson', ...more])
        .default('text'),
    )
    .option('--json', 'short for --format json');
}

export function formatOf({ format, json }: Output): Format {
  return json ? 'json' : format;
}

/** Of the commands that say what became of messages. */
export interface JudgeOptions extends Output {
  readonly senderField: string;
  readonly countField: string;
  readonly channelField: string;
  readonly prefix?: readonly string[];
  readonly exitZero?: true;
}

export function withJudging(command: Command, ...more: readonly Format[]): Command {
  return withFormat(
    command
      .option(
        '--sender-field <path>',
        'where the payload names its sender (dots descend, also into JSON in a string)',
        DEFAULT_FIELDS.sender,
      )
      .option('--count-field <path>', 'where the payload holds its count', DEFAULT_FIELDS.count)
      .option(
        '--channel-field <path>',
        "where the payload names its sender's channel, by which the channel of a client is known",
        DEFAULT_FIELDS.channel,
      )
      .option(
        '--prefix <prefix>',
        'only the application whose channel layer has this prefix, of several on one Redis (repeatable)',
        (prefix: string, before: readonly string[] = []) => [...before, prefix],
      )
      .option('--exit-zero', 'exit with 0 when losses are found, too'),
    ...more,
  );
}

export function fieldsOf({ senderField, countField, channelField }: JudgeOptions): PayloadFields {
  return { sender: senderField, count: countField, channel: channelField };
}

/** The exit status, by what was found. */
export function statusFor(status: number, { exitZero }: JudgeOptions): number {
  return status === 1 && exitZero ? 0 : status;
}

export const EXIT_STATUS = `Exit status: 0 nothing lost; 1 loss found; 2 usage, or input that cannot be read; 3 nothing lost for certain,
but something is undecided.`;

export function inColour(): boolean {
  return process.stdout.isTTY && process.stdout.hasColors();
}

export function parseCount(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError(`'${text}' is not a whole number from 0`);
  return Number(text);
}
