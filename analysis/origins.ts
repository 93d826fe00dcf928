/**
 * Of several traces: what a finding calls an operation or a connection. Inside the analysis they have numbers of their own; a person
 * looks them up in the trace that has them, by the number that it has there.
 */
import type { Evidence } from './evidence.js';
import { BACKUP_SUFFIX } from './profiles/channel-layer.js';
import { SeveralTraces } from './several-traces.js';

/** An operation under its own trace's numbers, with that trace named. */
export function operationAtHome<
  Operation extends { id: number; connection: number; key: string; implied?: readonly string[] },
>(operation: Operation, evidence: Evidence): Operation & { readonly trace?: string } {
  const traces = evidence.trace;
  if (!(traces instanceof SeveralTraces)) return operation;
  const key = redisKey(operation.key, evidence);
  const implied = operation.implied?.map((command) => command.replace(operation.key, key));
  const { trace, id } = traces.origin(operation.id);
  const connection = traces.origin(operation.connection).id;
  return { ...operation, trace: trace.path, id, connection, key, ...(implied ? { implied } : {}) };
}

export function eventAtHome<Event extends { connection: number }>(
  event: Event,
  { trace: traces }: Evidence,
): Event & { readonly trace?: string } {
  if (!(traces instanceof SeveralTraces)) return event;
  const { trace, id } = traces.origin(event.connection);
  return { ...event, trace: trace.path, connection: id };
}

/** `operation 1301` -> `operation 650 of b.db`, and so for connections, and for several of them. */
export function proseAtHome(text: string, { trace: traces }: Evidence): string {
  if (!(traces instanceof SeveralTraces)) return text;
  return text.replace(
    /\b(operation|connection)(s?) (\d+(?:(?:, | and | or |, and )\d+)*)/gi,
    (_, what, s, list) => {
      const named = String(list).replace(/\d+/g, (number) => {
        const { id } = traces.origin(Number(number));
        return `${id} of ${traces.nameAt(Number(number))}`;
      });
      return `${what}${s} ${named}`;
    },
  );
}

/** The Redis key of a queue or its backup, without the host that its name may say (places.ts). */
export function redisKey(name: string, evidence: Evidence): string {
  const suffix = name.endsWith(BACKUP_SUFFIX) ? BACKUP_SUFFIX : '';
  const queue = evidence.journeys.queues.get(name.slice(0, name.length - suffix.length));
  return queue ? queue.key + suffix : name;
}
