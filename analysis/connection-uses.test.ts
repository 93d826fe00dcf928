import fc from 'fast-check';
import { expect, it } from 'vitest';
import { connectionUses } from './connection-uses.js';
import { Evidence } from './evidence.js';
import { everOverlaps, outOfStepEpisodes } from './out-of-step.js';
import { randomJourneys } from './testing/random-journeys.js';
import { ScriptedTrace } from './testing/scripted-trace.js';

it('one pass says of each connection what going through all its requests says', () => {
  const seen = new Set<boolean>();
  fc.assert(
    fc.property(randomJourneys, ({ trace }) => {
      const evidence = new Evidence(trace);
      for (const [connection, { firstId, lastId, overlaps }] of connectionUses(trace)) {
        const { beats } = evidence.conduct(connection, new Set());
        expect([beats[0]?.id, beats.at(-1)?.id]).toEqual([firstId, lastId]);
        expect(overlaps).toBe(everOverlaps(beats));
        if (!overlaps) expect(outOfStepEpisodes(beats)).toEqual([]);
        seen.add(overlaps);
      }
    }),
    { numRuns: 30 },
  );
  expect(seen.size).toBe(2);
});

it('handshakes, pipelines, and what is answered to nobody are no overlap', () => {
  const trace = new ScriptedTrace();
  const ok = { kind: 'simple', text: 'OK' } as const;
  trace.request(10, 1, ['CLIENT', 'SETINFO'], ok, { tookMs: 5 });
  trace.request(11, 1, ['GET', 'a'], ok, { tookMs: 5 });
  trace.request(12, 1, ['GET', 'b'], ok, { tookMs: 5, pipelined: true });
  expect(connectionUses(trace).get(1)?.overlaps).toBe(false);
  trace.request(16, 1, ['GET', 'c'], ok);
  expect(connectionUses(trace).get(1)?.overlaps).toBe(true);
});
