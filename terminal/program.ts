/**
 * What all commands have in common: usage errors exit with 2, a GaptraceError is one line on stderr and its own exit
 * status, a bug is a stack trace and 70 (EX_SOFTWARE of sysexits.h), and `| head` ends a command quietly.
 *
 * A command says its own outcome with `process.exitCode`.
 */
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { GaptraceError, messageOf } from './errors.js';

export const USAGE_STATUS = 2;
export const BUG_STATUS = 70;

/** A program to register commands on with `program.command(…)`: they inherit its settings. */
export function createProgram(name: string, description: string, version: string): Command {
  return new Command(name)
    .description(description)
    .version(version, '-V, --version', 'print the version')
    .option('--no-color', 'no colours (as with NO_COLOR in the environment)')
    .on('option:no-color', () => {
      process.env.NO_COLOR = '1';
    })
    .exitOverride()
    .showHelpAfterError('(--help tells more)')
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'gaptrace: ')) });
}

/** Runs the command that argv names. Never rejects; leaves the outcome in `process.exitCode`. */
export async function runProgram(program: Command, argv: readonly string[]): Promise<void> {
  process.stdout.on('error', endQuietlyOnBrokenPipe);
  process.stderr.on('error', () => {}); // nobody reads the errors: not a reason for another one
  try {
    await program.parseAsync(argv);
  } catch (error) {
    process.exitCode = report(error);
  }
}

/** Says on stderr what went wrong, and returns the exit status for it. */
export function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE_STATUS; // commander has printed it
  if (error instanceof GaptraceError) {
    process.stderr.write(`gaptrace: ${error.message}\n`);
    return error.exitStatus;
  }
  const trace = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`gaptrace: this is a bug in gaptrace, please report it\n${trace}\n`);
  return BUG_STATUS;
}

/** Makes a parser of ours one for commander's options and arguments, which names the option in its message. */
export function argument<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      throw new InvalidArgumentError(messageOf(error));
    }
  };
}

function endQuietlyOnBrokenPipe(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit();
  throw error;
}
