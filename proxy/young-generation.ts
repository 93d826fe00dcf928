/**
 * Where forwarding is busy, V8 lets the memory for short-lived objects grow to 48 MB, and takes most of it back when it pauses: under a load that does not
 * change, the proxy's memory rose and fell by a fifth. What forwarding leaves dies at once: beyond 4 MB more of it makes nothing faster.
 */
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/** As V8 grows it, by doubling: it stays between this and the double. */
const ENOUGH_BYTES = 4_000_000;
const CHECKED_EVERY_MS = 1000;

/** Keeps this thread's young generation from growing beyond 8 MB, from a second after now on. Growth is a flag of the whole process. */
export function limitYoungGeneration(everyMs = CHECKED_EVERY_MS): void {
  let grows = true;
  setInterval(() => {
    const small = youngGenerationBytes() < ENOUGH_BYTES;
    if (small !== grows) setFlagsFromString(`--semi-space-growth-factor=${small ? 2 : 1}`);
    grows = small;
  }, everyMs).unref();
}

export function youngGenerationBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')?.space_size ?? 0;
}
