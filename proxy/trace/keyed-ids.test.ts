import Database from 'better-sqlite3';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { inBatches, keyedIds } from './keyed-ids.js';
import { SCHEMA } from './schema.js';

function databaseOf(rows: readonly (readonly [key: number, operation: number])[]): Database.Database {
  const database = new Database(':memory:');
  database.exec(SCHEMA);
  const insert = database.prepare('INSERT OR IGNORE INTO operation_key (key, operation) VALUES (?, ?)');
  for (const [key, operation] of rows) insert.run(key, operation);
  return database;
}

it('gives the ids of any keys in order, each once, as a sort would', () => {
  const rows = fc.array(fc.tuple(fc.integer({ min: 1, max: 120 }), fc.integer({ min: 1, max: 200 })));
  const keys = fc.uniqueArray(fc.integer({ min: 1, max: 130 }), { maxLength: 130 });
  fc.assert(
    fc.property(rows, keys, fc.integer({ min: 0, max: 100 }), (written, asked, afterId) => {
      const database = databaseOf(written);
      const wanted = written.filter(([key, id]) => asked.includes(key) && id > afterId).map(([, id]) => id);
      expect([...keyedIds(database, asked, afterId)]).toEqual([...new Set(wanted)].sort((a, b) => a - b));
      database.close();
    }),
    { numRuns: 60 },
  );
});

it('holds nothing back when it is left early', () => {
  const database = databaseOf(Array.from({ length: 100 }, (_, n) => [n, n + 1] as const));
  for (const id of keyedIds(database, [5, 50, 99])) {
    expect(id).toBe(6);
    break;
  }
  expect(() => database.exec('DELETE FROM operation_key')).not.toThrow();
});

it('batches grow, and leave none out', () => {
  const ids = Array.from({ length: 2000 }, (_, n) => n);
  const batches = [...inBatches(ids)];
  expect(batches.flat()).toEqual(ids);
  expect(batches.map((batch) => batch.length)).toEqual([16, 32, 64, 128, 256, 512, 512, 480]);
});
