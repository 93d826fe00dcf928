/**
 * The operations of some keys in the order of their ids, the first ones at once: `operation_key` has each key's in order, and these orders
 * are merged while they are read. Nothing is sorted and nothing is held, however many operations there are.
 */
import type Database from 'better-sqlite3';

/** Keys whose orders SQLite merges in one statement; beyond them statements are merged here. It nests one level a key. */
const KEYS_A_STATEMENT = 32;

/**
 * Ids of the operations that touch one of the keys (rows of `key`), ascending, each once. `afterId`: only later ones. Until it is
 * done with, it sees one state of the trace, and so does whatever else is read from the database meanwhile.
 */
export function* keyedIds(
  database: Database.Database,
  keys: readonly number[],
  afterId = 0,
): Generator<number, void> {
  const sources: Source[] = [];
  try {
    for (let at = 0; at < keys.length; at += KEYS_A_STATEMENT) {
      const some = keys.slice(at, at + KEYS_A_STATEMENT);
      const ids = idsOf(database, some, afterId);
      const first = ids.next();
      if (first.done !== true) sources.push({ ids, next: first.value });
    }
    yield* merged(sources);
  } finally {
    for (const { ids } of sources) ids.return?.();
  }
}

/** One statement's ids, of which `next` comes next. */
interface Source {
  readonly ids: IterableIterator<number>;
  next: number;
}

function idsOf(database: Database.Database, keys: readonly number[], afterId: number) {
  const one = 'SELECT operation FROM operation_key WHERE key = ? AND operation > ?';
  const sql = `${keys.map(() => one).join(' UNION ')} ORDER BY 1`;
  const values = keys.flatMap((key) => [key, afterId]);
  return database
    .prepare<unknown[], number>(sql)
    .pluck()
    .iterate(...values);
}

/** A heap: the source with the lowest next id is the first; each is at most its children (at 2n + 1 and 2n + 2). */
function* merged(heap: Source[]): Generator<number, void> {
  heap.sort((a, b) => a.next - b.next);
  let last = 0;
  for (let first = heap[0]; first; first = heap[0]) {
    if (first.next !== last) yield first.next;
    last = first.next;
    const { done, value } = first.ids.next();
    if (done === true) {
      const moved = heap.pop() as Source;
      if (moved === first) return;
      heap[0] = moved;
    } else first.next = value;
    sink(heap);
  }
}

function sink(heap: Source[]): void {
  const top = heap[0] as Source;
  let at = 0;
  for (;;) {
    const [left, right] = [heap[2 * at + 1], heap[2 * at + 2]];
    const child = right && left && right.next < left.next ? 2 * at + 2 : 2 * at + 1;
    const lower = heap[child];
    if (!lower || lower.next >= top.next) break;
    heap[at] = lower;
    at = child;
  }
  heap[at] = top;
}

const LARGEST_BATCH = 512;

/** Small batches first, so that what is made of the first ids is there at once. */
export function* inBatches(ids: Iterable<number>): Generator<readonly number[]> {
  let size = 16;
  let batch: number[] = [];
  for (const id of ids) {
    batch.push(id);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
    size = Math.min(2 * size, LARGEST_BATCH);
  }
  if (batch.length > 0) yield batch;
}
