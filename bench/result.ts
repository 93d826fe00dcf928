/** All that one run of the benchmark found: what `--json` prints, and what the page is made of. */
import type { EnduranceFigures } from './endurance.js';
import type { HotPathFigures } from './hot-path.js';
import type { IdleFigures } from './idle-connections.js';
import type { Machine } from './machine.js';
import type { Measurement } from './rounds.js';
import type { ScaleFigures } from './scale.js';

/** What each section of a run finds. */
export interface SectionFigures {
  readonly rounds: RoundsFigures;
  readonly 'hot-path': readonly HotPathFigures[];
  /** By growing size. */
  readonly scale: readonly ScaleFigures[];
  /** As many operations as there can be in a time, to a given number. */
  readonly flood: EnduranceFigures;
  /** A long time. */
  readonly soak: EnduranceFigures;
  readonly idle: readonly IdleFigures[];
  readonly 'slow-disk': readonly SlowDiskFigures[];
}

export interface RoundsFigures {
  readonly rounds: number;
  readonly unjudgedRounds: number;
  /** Of a workload whose share is 1. */
  readonly requests: number;
  readonly measurements: readonly Measurement[];
}

export interface SlowDiskFigures extends EnduranceFigures {
  readonly onOverload: 'drop' | 'pause';
  readonly diskBytesPerSecond: number;
}

export type SectionName = keyof SectionFigures;

export interface BenchmarkResult {
  readonly schema: 2;
  /** ISO 8601. */
  readonly date: string;
  readonly machine: Machine;
  /** Those that were measured. */
  readonly sections: Partial<SectionFigures>;
  /** Why a section is not there: it failed with this, or was not asked for. */
  readonly missing: Readonly<Partial<Record<SectionName, string>>>;
}
