/**
 * What goes wrong for a reason outside gaptrace: a file that is not a trace, a port that is taken, a flag
 * that makes no sense. Such an error is one clear line on stderr and an exit status; a stack trace is for bugs.
 */
export class GaptraceError extends Error {
  override readonly name = 'GaptraceError';
  /** Stable, for programs: `GAPTRACE_…`. Every code has a line in docs/errors.md. */
  readonly code: `GAPTRACE_${string}`;
  /** Exit status of the command that meets it (2: usage, or input that cannot be read). */
  readonly exitStatus: number;

  constructor(
    code: `GAPTRACE_${string}`,
    message: string,
    options: { exitStatus?: number; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.exitStatus = options.exitStatus ?? 2;
  }
}

/** The message of anything thrown, without its stack. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
