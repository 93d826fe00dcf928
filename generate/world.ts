/** What all that is simulated shares, and the layer's settings. */
import type { Ledger } from './ledger.js';
import type { Schedule } from './schedule.js';
import type { Wire } from './wire.js';

export const PREFIX = 'chat';
export const CAPACITY = 100;
/** Seconds. Short, so that a process that pauses for a moment shows what expiring is. */
export const EXPIRY_S = 2;
export const GROUP_EXPIRY_S = 86_400;
/** Wall clock of time 0. */
export const STARTED_UNIX_US = 1_767_225_600_000_000;

/** Who decides when something goes wrong. */
export interface OnSend {
  /** So many messages were sent to a queue each. */
  sent(messages: number, world: World): void;
  /** A message found this queue full. */
  wasFull(key: string, nowUs: number): void;
}

export interface World {
  readonly schedule: Schedule;
  readonly wire: Wire;
  /** From 0 up to 1. */
  readonly random: () => number;
  readonly ledger: Ledger;
  readonly onSend: OnSend;
  /** Enough operations: nobody says anything any more. */
  ending: boolean;
}

/** A whole number of microseconds. */
export function between({ random }: World, fromUs: number, toUs: number): number {
  return Math.floor(fromUs + random() * (toUs - fromUs));
}

/** What `time.time()` says, as text that Redis says back the same: the last digit is never 0. */
export function secondsText(nowUs: number): string {
  const us = STARTED_UNIX_US + nowUs;
  const fraction = us % 1_000_000;
  return `${Math.floor(us / 1_000_000)}.${String(fraction % 10 === 0 ? fraction + 1 : fraction).padStart(6, '0')}`;
}

export function wholeSeconds(nowUs: number): number {
  return Math.floor((STARTED_UNIX_US + nowUs) / 1_000_000);
}

export function hex(random: () => number, digits: number): string {
  let text = '';
  while (text.length < digits)
    text += Math.floor(random() * 2 ** 32)
      .toString(16)
      .padStart(8, '0');
  return text.slice(0, digits);
}
