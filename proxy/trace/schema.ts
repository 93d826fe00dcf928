/**
 * The trace: one SQLite file, and the contract between recording and analysis. Facts only: connections, requests,
 * replies, pushes, closes, holes. What they mean to a channel layer is for analysis/profiles to say.
 *
 * Times are integers: microseconds since the trace's start, monotonic. `meta.started_unix_us` anchors them to the wall clock.
 * Bytes that are UTF-8 are TEXT, others BLOB, so that any SQLite shell shows what can be read (requests and replies
 * are whole RESP frames and always BLOB). Blocks not yet turned into operations wait in `spool`.
 */
export const SCHEMA_VERSION = 1;

/** `PRAGMA application_id` of a trace: 'gptr'. Tells a trace from any other SQLite file. */
export const APPLICATION_ID = 0x67707472;

export const SCHEMA = `
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE connection (
  id INTEGER PRIMARY KEY,
  opened_us INTEGER NOT NULL,
  closed_us INTEGER,            -- when the first of the two sides closed
  closed_by TEXT,               -- client, redis, proxy
  closed_how TEXT,              -- fin, reset, error
  closed_detail TEXT,           -- such as ECONNREFUSED
  ended_us INTEGER,             -- when both sides were closed
  client_address TEXT NOT NULL,
  upstream_address TEXT NOT NULL,
  resp_version INTEGER NOT NULL DEFAULT 2,
  client_name TEXT,             -- what the client says it is (CLIENT SETNAME, HELLO SETNAME)
  library_name TEXT,            -- what the client says it is (CLIENT SETINFO)
  library_version TEXT,
  bytes_from_client INTEGER NOT NULL DEFAULT 0,
  bytes_from_redis INTEGER NOT NULL DEFAULT 0,
  unflushed_to_client INTEGER,  -- read from Redis, not handed to the client's kernel when the first side closed
  unflushed_to_redis INTEGER
);

CREATE TABLE command (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);

CREATE TABLE operation (
  id INTEGER PRIMARY KEY,       -- in the order in which whole requests were read
  connection INTEGER NOT NULL,
  sequence INTEGER NOT NULL,    -- position among the requests of its connection, from 1
  command INTEGER NOT NULL,     -- command.id
  requested_us INTEGER NOT NULL,-- last byte of the request read from the client
  replied_us INTEGER,           -- last byte of the reply read from Redis
  flushed_us INTEGER,           -- last byte of the reply handed to the client's kernel (not: received)
  owed INTEGER NOT NULL,        -- replies not yet handed to the client when the request was read
  pipelined INTEGER NOT NULL,   -- 1: in one chunk with the request before it
  transaction_id INTEGER,       -- operation.id of its MULTI
  reply_kind TEXT,              -- none: Redis does not answer it. NULL: no reply came (yet)
  request BLOB NOT NULL,        -- the RESP frame, secrets blanked; cut when request_length is more than its length
  request_length INTEGER NOT NULL,
  reply BLOB,
  reply_length INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE key (id INTEGER PRIMARY KEY, name NOT NULL UNIQUE);

CREATE TABLE operation_key (    -- every key that an operation touches
  key INTEGER NOT NULL,         -- key.id
  operation INTEGER NOT NULL,
  PRIMARY KEY (key, operation)
) WITHOUT ROWID;

CREATE TABLE push (
  id INTEGER PRIMARY KEY,
  connection INTEGER NOT NULL,
  kind TEXT NOT NULL,           -- message, pmessage, smessage, invalidate, monitor, unsolicited, other
  channel,
  received_us INTEGER NOT NULL,
  flushed_us INTEGER,
  payload BLOB NOT NULL,        -- the RESP frame
  payload_length INTEGER NOT NULL
);

CREATE TABLE hole (             -- what was not recorded or not understood
  id INTEGER PRIMARY KEY,
  connection INTEGER,           -- NULL: any connection
  direction TEXT,               -- client, redis; NULL: both
  from_us INTEGER NOT NULL,
  to_us INTEGER,                -- NULL: to the connection's (or the trace's) end
  byte_offset INTEGER,          -- in that direction's byte stream
  bytes INTEGER NOT NULL,       -- 0: not known
  reason TEXT NOT NULL,
  detail TEXT NOT NULL
);

CREATE TABLE redis_sample (at_us INTEGER NOT NULL, field TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (at_us, field)) WITHOUT ROWID;

CREATE TABLE spool (id INTEGER PRIMARY KEY, block BLOB NOT NULL);                        -- stored, not yet indexed
CREATE TABLE conversation (connection INTEGER PRIMARY KEY, state BLOB NOT NULL);         -- where indexing stands, per open connection

CREATE VIEW operations AS
  SELECT o.id, o.connection, o.sequence, c.name AS command,
         (SELECT k.name FROM operation_key ok JOIN key k ON k.id = ok.key WHERE ok.operation = o.id LIMIT 1) AS first_key,
         o.requested_us, o.replied_us, o.flushed_us, o.owed, o.pipelined, o.transaction_id,
         o.reply_kind, o.request, o.request_length, o.reply, o.reply_length
  FROM operation o JOIN command c ON c.id = o.command;

CREATE VIEW key_operations AS
  SELECT k.name AS key, o.id, o.connection, c.name AS command, o.requested_us, o.replied_us, o.reply_kind
  FROM operation_key ok JOIN key k ON k.id = ok.key JOIN operation o ON o.id = ok.operation JOIN command c ON c.id = o.command;
`;
