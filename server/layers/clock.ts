/**
 * The time that goes into scores: seconds since 1970 with microseconds, as Python's `time.time()` has them.
 *
 * A queue is ordered by score, and equal scores by the random bytes of the members. `Date.now()` counts milliseconds, so
 * two messages of one millisecond would come out in any order. This clock counts finer, and no two of its times in a
 * process are equal. It follows the wall clock, also when that is set back.
 */

/** How far the monotonic clock may run away from the wall clock before it is set again, in ms. */
const DRIFT_MS = 5;
/** The smallest step between two times, in seconds: what a double still resolves at today's date. */
const STEP = 1e-6;
/** A wall clock set back by more than this is followed, in seconds. */
const SET_BACK = 1;

let origin = performance.timeOrigin;
let last = 0;

/** Seconds since 1970, later than the time before unless the wall clock was set back by over a second. */
export function secondsNow(): number {
  const wall = Date.now();
  let fine = origin + performance.now();
  if (Math.abs(fine - wall) > DRIFT_MS) {
    origin += wall - fine;
    fine = wall;
  }
  const seconds = fine / 1000;
  last = seconds > last || last - seconds > SET_BACK ? seconds : last + STEP;
  return last;
}
