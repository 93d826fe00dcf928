/** The audit of a trace of any size: a large one is sifted, where it can be; any other is read into memory as a whole. The report is the same. */
import type { Trace } from '../../proxy/trace/trace.js';
import { audit } from '../audit.js';
import { isLarge } from '../focus/is-large.js';
import type { PayloadFields } from '../payload.js';
import { type SiftedAudit, siftedAudit } from './sifted-audit.js';

/** `prefixes`: of which applications; none: of all. Throws what `audit` does. */
export function auditAny(trace: Trace, fields: PayloadFields, prefixes: readonly string[]): SiftedAudit {
  return (isLarge(trace, prefixes) ? siftedAudit(trace, fields) : null) ?? audit(trace, fields, prefixes);
}
