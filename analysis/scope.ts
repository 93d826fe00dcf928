/**
 * Which application is judged, where several share one Redis and each gives its layer a prefix of its own. The trace holds all of them, and
 * facts are read from all of it; judged are the queues, groups and pub/sub channels of the prefixes asked for.
 *
 *   <prefix>specific.<32 hex>!   a process queue       <prefix>:group:<name>        a group
 *   <prefix>specific.<32 hex>    a pub/sub consumer    <prefix>__group__<name>      a pub/sub group
 *   <prefix><name>               a general channel: it says no prefix, so it is of the longest one known that it begins with
 */
import type { Trace, TraceOperation } from '../proxy/trace/trace.js';
import { GaptraceError } from '../terminal/errors.js';
import type { Journeys } from './journey.js';
import { COMMANDS, nameOf, type Step, stepOf } from './profiles/channel-layer.js';
import { PUBSUB_COMMANDS, pubSubStepOf } from './profiles/pubsub.js';

export interface Scope {
  /** Is a queue, a group or a pub/sub channel of this name judged? */
  has(name: string): boolean;
}

/** No prefix was asked for. */
export const EVERYTHING: Scope = { has: () => true };

/**
 * The scope of these prefixes; none: everything. `growing`: a trace that is being written, in which a prefix may yet come.
 * Throws GaptraceError GAPTRACE_PREFIX where the trace has nothing of one of them.
 */
export function scopeOf(
  trace: Pick<Trace, 'operations' | 'pushes' | 'path'>,
  prefixes: readonly string[],
  growing = false,
): Scope {
  if (prefixes.length === 0) return EVERYTHING;
  const names = namesIn(trace);
  const said = new Set([...names].flatMap((name) => saidPrefix(name) ?? []));
  const known = [...new Set([...said, ...prefixes])].sort((a, b) => b.length - a.length);
  const prefixOf = (name: string) => saidPrefix(name) ?? known.find((prefix) => name.startsWith(prefix));
  const found = new Set([...names].map(prefixOf));
  const absent = prefixes.find((prefix) => !found.has(prefix));
  if (absent !== undefined && !growing) throw unknownPrefix(absent, said, trace.path);
  return {
    has(name) {
      const prefix = prefixOf(name);
      return prefix !== undefined && prefixes.includes(prefix);
    },
  };
}

/** The part of the facts that is judged. */
export function within(scope: Scope, journeys: Journeys): Journeys {
  if (scope === EVERYTHING) return journeys;
  const queues = new Map([...journeys.queues].filter(([, { key }]) => scope.has(key)));
  return {
    queues,
    journeys: journeys.journeys.filter(({ queue }) => queues.has(queue)),
    memberships: new Map(
      [...journeys.memberships].map(([channel, list]) => [
        channel,
        list.filter(({ group }) => scope.has(group)),
      ]),
    ),
    seenIn: new Map(
      [...journeys.seenIn].map(([channel, groups]) => [
        channel,
        new Set([...groups].filter((group) => scope.has(group))),
      ]),
    ),
    connectionsOf: journeys.connectionsOf,
  };
}

/** The prefix that a name says by its shape; null for a general channel. A group's name has no colon. */
function saidPrefix(name: string): string | null {
  const process = /^(.*)specific\.(?:[0-9a-f]{32}!?|[A-Za-z]{8}!)$/s.exec(name);
  if (process) return process[1] as string;
  const at = [name.lastIndexOf(':group:'), name.indexOf('__group__')].find((index) => index >= 0);
  return at === undefined ? null : name.slice(0, at);
}

/** What the trace names as a queue, a group or a pub/sub channel of a layer. */
function namesIn(trace: Pick<Trace, 'operations' | 'pushes'>): ReadonlySet<string> {
  const names = new Set<string>();
  for (const operation of trace.operations({ commands: [...COMMANDS, ...PUBSUB_COMMANDS] }))
    for (const name of namesOf(operation)) names.add(name);
  for (const { channel } of trace.pushes(['message'])) if (channel) names.add(nameOf(channel));
  return names;
}

function namesOf(operation: TraceOperation): readonly string[] {
  const step = stepOf(operation, operation.reply);
  if (step) return namesOfStep(step);
  const pubsub = pubSubStepOf(operation);
  if (pubsub?.step === 'publish') return [pubsub.channel];
  return pubsub?.step === 'subscribe' ? pubsub.channels : [];
}

function namesOfStep(step: Step): readonly string[] {
  switch (step.step) {
    case 'enqueue':
      return step.deliveries.map(({ queue }) => queue);
    case 'poll':
      return step.queues;
    case 'join':
    case 'leave':
    case 'members':
      return [step.group];
    default:
      return [step.queue];
  }
}

/** So many are named in the message. */
const NAMED = 10;

function unknownPrefix(absent: string, said: ReadonlySet<string>, path: string): GaptraceError {
  const names = [...said].sort().map((prefix) => `'${prefix}'`);
  const more = names.length > NAMED ? ` and ${names.length - NAMED} more` : '';
  const known =
    names.length === 0
      ? 'nothing in it is of a channel layer'
      : `its prefixes are ${names.slice(0, NAMED).join(', ')}${more}`;
  return new GaptraceError(
    'GAPTRACE_PREFIX',
    `${path} has no queue, group or channel of the prefix '${absent}': ${known}`,
  );
}
