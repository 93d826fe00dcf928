/** Waiting before Redis is tried again: longer after each failure, up to a limit, and each process a little differently. */
const FIRST_MS = 50;
const LONGEST_MS = 2_000;

/** Resolves after the wait that the n-th failure in a row asks for (n from 1), or at once when `signal` is aborted. */
export async function backOff(failures: number, signal: AbortSignal): Promise<void> {
  const ms = Math.min(LONGEST_MS, FIRST_MS * 2 ** (failures - 1)) * (0.75 + Math.random() / 4);
  await pause(ms, signal);
}

/** Resolves after `ms`, or at once when `signal` is aborted. Never rejects. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end, { once: true });
  });
}
