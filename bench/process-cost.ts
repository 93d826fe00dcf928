/**
 * What a process has cost so far, as Linux counts it in /proc: CPU time of all its threads and of its main thread
 * alone, and the most memory it has held.
 */
import { readFileSync } from 'node:fs';

export interface ProcessCost {
  /** User and system time of all threads, those that have ended included. */
  readonly cpuSeconds: number;
  /** Of that, the main thread: in a Node proxy the one that forwards. */
  readonly mainThreadCpuSeconds: number;
  /** VmHWM: the peak of resident memory. */
  readonly peakRssBytes: number;
}

/** USER_HZ, which Linux fixes at 100 for what it tells programs on all platforms that Node runs on. */
const TICKS_A_SECOND = 100;

/** Null when the process has ended. */
export function readProcessCost(pid: number): ProcessCost | null {
  try {
    return {
      cpuSeconds: parseCpuSeconds(readFileSync(`/proc/${pid}/stat`, 'latin1')),
      mainThreadCpuSeconds: parseCpuSeconds(readFileSync(`/proc/${pid}/task/${pid}/stat`, 'latin1')),
      peakRssBytes: parsePeakRss(readFileSync(`/proc/${pid}/status`, 'latin1')),
    };
  } catch {
    return null; // gone, or just about to be: a process that exits has no memory left to speak of
  }
}

/** Null when the process has ended. */
export function readPeakRss(pid: number): number | null {
  return readStatus(pid, parsePeakRss);
}

/** Resident memory at this moment, in bytes; null when the process has ended. */
export function readRss(pid: number): number | null {
  return readStatus(pid, parseRss);
}

function readStatus(pid: number, parse: (status: string) => number): number | null {
  try {
    return parse(readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return null;
  }
}

/** User and system time of a line of /proc/PID/stat, fields 14 and 15 (proc(5)). */
export function parseCpuSeconds(stat: string): number {
  // Field 2 is the program's name in parentheses, and may hold blanks and parentheses itself.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]);
  if (Number.isNaN(ticks)) throw new Error(`not a line of /proc/PID/stat: ${stat}`);
  return ticks / TICKS_A_SECOND;
}

/** VmHWM of a /proc/PID/status, in bytes. */
export function parsePeakRss(status: string): number {
  return kilobytes(status, 'VmHWM') * 1024;
}

/** VmRSS of a /proc/PID/status, in bytes. */
export function parseRss(status: string): number {
  return kilobytes(status, 'VmRSS') * 1024;
}

function kilobytes(status: string, field: string): number {
  const match = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status);
  if (match === null) throw new Error(`no ${field} in /proc/PID/status`);
  return Number(match[1]);
}
