/** The hints of one kind in a scripted trace, as an audit gives them. */
import { audit } from '../../audit.js';
import type { ScriptedTrace } from '../../testing/scripted-trace.js';
import type { Hint } from '../hint.js';

export function hintsIn(trace: ScriptedTrace, kind: string): Hint[] {
  return audit(trace).hints.filter(({ hint }) => hint === kind);
}
