import { expect, test } from 'vitest';
import {
  parseCpuSeconds,
  parsePeakRss,
  parseRss,
  readPeakRss,
  readProcessCost,
  readRss,
} from './process-cost.js';

test('user and system time of a /proc/PID/stat, whatever the name of the program', () => {
  const stat = (name: string): string =>
    `4242 (${name}) S 1 4242 4242 0 -1 4194304 2217 0 3 0 1234 66 0 0 20 0 11 0 5120 1073741824 3000\n`;
  expect(parseCpuSeconds(stat('node'))).toBe(13);
  expect(parseCpuSeconds(stat('a ) S 1 (b'))).toBe(13);
  expect(() => parseCpuSeconds('nothing')).toThrow('not a line of /proc/PID/stat');
});

test('the peak of resident memory of a /proc/PID/status', () => {
  expect(parsePeakRss('VmPeak:\t  900 kB\nVmHWM:\t   54321 kB\nVmRSS:\t  100 kB\n')).toBe(54321 * 1024);
  expect(() => parsePeakRss('VmRSS:\t  100 kB\n')).toThrow('no VmHWM');
  expect(parseRss('VmHWM:\t   54321 kB\nVmRSS:\t  100 kB\n')).toBe(100 * 1024);
});

test('resident memory now is no more than its peak', () => {
  expect(readRss(process.pid)).toBeGreaterThan(1024 * 1024);
  expect(readRss(process.pid)).toBeLessThanOrEqual(readPeakRss(process.pid) ?? 0);
});

test('this process has cost something, and its main thread no more than all of it', () => {
  const cost = readProcessCost(process.pid);
  expect(cost?.peakRssBytes).toBeGreaterThan(1024 * 1024);
  expect(cost?.mainThreadCpuSeconds).toBeLessThanOrEqual(cost?.cpuSeconds ?? 0);
});

test('a process that is not there', () => {
  expect(readProcessCost(2 ** 30)).toBeNull();
  expect(readRss(2 ** 30)).toBeNull();
});
