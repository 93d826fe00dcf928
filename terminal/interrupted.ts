/** Work that Ctrl-C ends and that leaves nothing behind then. */

const INTERRUPTED_STATUS = 130;

class Interrupted extends Error {}

/**
 * Runs `work` with a signal that SIGINT or SIGTERM aborts; it should then clean up and throw the signal's reason. The process says so and ends
 * with status 130. `outcome`: what to say, such as `no trace was written`.
 */
export async function unlessInterrupted<T>(
  outcome: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort(new Interrupted());
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  try {
    return await work(interrupted.signal);
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    process.stderr.write(`gaptrace: interrupted: ${outcome}\n`);
    return process.exit(INTERRUPTED_STATUS); // standard input may still be waited for
  } finally {
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  }
}
