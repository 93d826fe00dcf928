/** What SQLite and the file system say, told apart by their codes. */

/** SQLite's extended codes begin with the code that they extend: `SQLITE_BUSY_SNAPSHOT` is a `SQLITE_BUSY`. */
export function hasSqliteCode(error: unknown, ...codes: readonly string[]): boolean {
  const code = codeOf(error);
  return code !== null && codes.some((wanted) => code === wanted || code.startsWith(`${wanted}_`));
}

export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  const code = codeOf(error);
  return code !== null && codes.includes(code);
}

export function codeOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;
}
