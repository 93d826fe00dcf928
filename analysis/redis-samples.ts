/**
 * What Redis said of itself while the trace was recorded (INFO, every ten seconds): the only mark that an eviction, a restart or a failover
 * leaves. A change lies somewhere between two samples.
 */
import type { TraceSample } from '../proxy/trace/trace.js';

interface Sample {
  readonly atUs: number;
  readonly fields: ReadonlyMap<string, string>;
}

export class RedisSamples {
  readonly #samples: readonly Sample[];

  constructor(rows: Iterable<TraceSample>) {
    const samples = new Map<number, Map<string, string>>();
    for (const { atUs, field, value } of rows) {
      const fields = samples.get(atUs) ?? new Map<string, string>();
      samples.set(atUs, fields.set(field, value));
    }
    this.#samples = [...samples].map(([atUs, fields]) => ({ atUs, fields }));
  }

  /** What may have taken keys between two moments, a clause each. Empty where Redis says of none, or was not asked. */
  lossesBetween(fromUs: number, toUs: number): string[] {
    const before = this.#samples.findLast(({ atUs }) => atUs <= fromUs) ?? this.#samples[0];
    const after = this.#samples.find(({ atUs }) => atUs >= toUs) ?? this.#samples.at(-1);
    if (!before || !after) return [];
    const [old, now] = [before.fields, after.fields];
    const evicted = Number(now.get('evicted_keys') ?? 0) - Number(old.get('evicted_keys') ?? 0);
    const replaced = old.get('run_id') !== now.get('run_id');
    return [
      ...(replaced
        ? ['Redis is another process since then: it was restarted, or another one took over']
        : []),
      ...(!replaced && evicted > 0
        ? [`Redis evicted ${evicted} ${evicted === 1 ? 'key' : 'keys'} in that time to free memory`]
        : []),
      ...(old.get('role') !== now.get('role')
        ? [`Redis became ${now.get('role')} (it was ${old.get('role')}) in that time`]
        : []),
    ];
  }
}
