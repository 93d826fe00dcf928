/** A scenario: one way in which messages get lost, late, or do not, played for real through the proxy. One file each. */
import type { Stage } from '../stage.js';

export interface Scenario {
  /** The mechanism, in the words of the catalogue. */
  readonly name: string;
  /** Who does it: our layer, or which version a scripted client plays. */
  readonly plays: string;
  /** The cause that each of its runs makes at least once; left out where it makes none, or chance decides. */
  readonly makes?: string;
  /** The causes possible for what is lost in it and nobody was blamed for; left out where the scenario blames one by one. */
  readonly losesBy?: readonly string[];
  /** Causes of which the wire cannot tell for certain: `indeterminate` that lists them is the right answer. */
  readonly neverCertain?: readonly string[];
  /** How many Redis hosts its layers have. 1 where not told. */
  readonly hosts?: number;
  /** Added by the proxy each way, microseconds. None where not told. */
  readonly latencyUs?: number;
  play(stage: Stage): Promise<void>;
}
