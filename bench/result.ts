/** All that one run of the benchmark found: what `--json` prints, and what the page is made of. */
import type { HotPathFigures } from './hot-path.js';
import type { Machine } from './machine.js';
import type { Measurement } from './rounds.js';

export interface BenchmarkResult {
  readonly schema: 1;
  /** ISO 8601. */
  readonly date: string;
  readonly machine: Machine;
  readonly rounds: number;
  readonly requests: number;
  readonly measurements: readonly Measurement[];
  readonly hotPath: readonly HotPathFigures[];
}
