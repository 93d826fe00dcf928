/** The audit of a trace of any size: a large one is sifted, where it can be; any other is read into memory as a whole. The report is the same. */
import type { Trace } from '../../proxy/trace/trace.js';
import { audit } from '../audit.js';
import type { PayloadFields } from '../payload.js';
import { SeveralTraces } from '../several-traces.js';
import { type SiftedAudit, siftedAudit } from './sifted-audit.js';

/** Below this the whole is read in seconds. */
const SIFTED_FROM = 100_000;

/** `prefixes`: of which applications; none: of all. Throws what `audit` does. */
export function auditAny(trace: Trace, fields: PayloadFields, prefixes: readonly string[]): SiftedAudit {
  return sifted(trace, fields, prefixes) ?? audit(trace, fields, prefixes);
}

function sifted(trace: Trace, fields: PayloadFields, prefixes: readonly string[]): SiftedAudit | null {
  if (trace instanceof SeveralTraces || prefixes.length > 0) return null;
  const size = trace.idAt(Number.POSITIVE_INFINITY) - trace.idAt(Number.NEGATIVE_INFINITY);
  return size < SIFTED_FROM ? null : siftedAudit(trace, fields);
}
