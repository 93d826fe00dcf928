/** How close to the peers a proxy in Node can come, by the figures of the same run, and what stands in the way. */
import { number } from './markdown.js';
import { RATE, ratioAt } from './measured.js';
import { BARE_PIPE, GAPTRACE, HAPROXY, MONITOR } from './peers.js';
import type { Measurement } from './rounds.js';
import { PIPELINED, SMALLEST } from './workloads.js';

/** A paragraph of Markdown; null where one of its figures was not measured. */
export function renderHowClose(measurements: readonly Measurement[]): string | null {
  const median = (workload: string, peers: readonly [string, string], value = RATE): string | null => {
    const ratio = ratioAt(measurements, workload, peers, value);
    return ratio === null || Number.isNaN(ratio.median) ? null : number(ratio.median, 2);
  };
  const ofPipe = [GAPTRACE.name, BARE_PIPE.name] as const;
  const recording = median(SMALLEST, ofPipe);
  const mainThread = median(SMALLEST, ofPipe, ({ cost }) => cost?.mainThreadCpuSecondsAMillion ?? Number.NaN);
  const pipeOfHaproxy = median(SMALLEST, [BARE_PIPE.name, HAPROXY.name]);
  const pipeOfMonitor = median(PIPELINED, [BARE_PIPE.name, MONITOR.name]);
  if (!recording || !mainThread || !pipeOfHaproxy || !pipeOfMonitor) return null;
  return `How close to 1.00 can it get? To the bare pipe, ${recording} here: the thread that forwards takes ${mainThread} of the CPU time that the pipe takes for a request, \
and the thread that stores runs beside it, where the load, Redis and both threads share the cores. To the others, no closer than the bare pipe: that does ${pipeOfHaproxy} \
of HAProxy’s requests (P=1, c=50) and ${pipeOfMonitor} of those under MONITOR (P=16, c=50), with nothing recorded. What stands in the way is what Node itself does for each read and each write, \
most of it in the two system calls ([decision 14](decisions/0014-beyond-one-core.md)).`;
}
