/** Processes on the pub/sub layer: whom Redis counts as subscribed, asked past the proxy, and the healthy traffic of such processes. */
import type { Stage } from './stage.js';
import { ROOMS, Traffic, type TrafficOptions } from './traffic.js';

/** How many processes are subscribed to a group. */
export async function subscribersOf(stage: Stage, group: string): Promise<number> {
  const [, count] = (await stage.direct().pubsub('NUMSUB', channelOf(group))) as [string, number];
  return Number(count);
}

/** What a message to the group is published to. */
export function channelOf(group: string): string {
  return `chat__group__${group}`;
}

/** Resolves when so many are: a join or a leave returns before Redis has done it. */
export async function untilSubscribed(stage: Stage, group: string, many: number): Promise<void> {
  for (let attempt = 0; attempt < 1_000; attempt++) {
    if ((await subscribersOf(stage, group)) === many) return;
    await stage.sleep(5);
  }
  throw new Error(`waited in vain for ${many} subscribers of ${group}`);
}

/** Two processes on our pub/sub layer, as Traffic has them. */
export function startPubSub(stage: Stage, options: TrafficOptions = {}): Promise<Traffic> {
  return Traffic.start(stage, {
    ...options,
    process: () => stage.pubsub(),
    joined: async () => {
      for (const room of ROOMS) await untilSubscribed(stage, room, 2);
    },
  });
}
