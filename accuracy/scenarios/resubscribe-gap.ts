import { Consumer } from '../consumer.js';
import type { Stage } from '../stage.js';
import { startPubSub, untilSubscribed } from '../subscribers.js';
import { ROOMS } from '../traffic.js';
import type { Scenario } from './scenario.js';

/** The connection on which a process is subscribed is killed while messages are sent: it hears nothing until it is back. */
export const resubscribeGap: Scenario = {
  name: 'resubscribe-gap',
  makes: 'resubscribe-gap',
  plays: 'our pub/sub layer; CLIENT KILL on a connection past the proxy',
  losesBy: ['resubscribe-gap'],
  async play(stage) {
    const traffic = await startPubSub(stage, { messages: 60, everyMs: 20 });
    const others = await subscribers(stage);
    const layer = stage.pubsub();
    for (const room of ROOMS) await Consumer.join(stage, layer, room);
    for (const room of ROOMS) await untilSubscribed(stage, room, 3);
    await stage.sleep(stage.random('killed')() * 200);
    for (const id of await subscribers(stage))
      if (!others.includes(id)) await stage.direct().client('KILL', 'ID', Number(id));
    await traffic.sent;
    for (const room of ROOMS) await untilSubscribed(stage, room, 3);
    await traffic.drained();
  },
};

/** The ids of the connections that are subscribed to anything. */
async function subscribers(stage: Stage): Promise<string[]> {
  const list = (await stage.direct().call('CLIENT', 'LIST', 'TYPE', 'pubsub')) as string;
  return [...list.matchAll(/^id=(\d+)/gm)].map(([, id]) => id as string);
}
