import { Sender } from '../consumer.js';
import { ScriptedSubscriber } from '../scripted-subscriber.js';
import { startPubSub, subscribersOf, untilSubscribed } from '../subscribers.js';
import type { Scenario } from './scenario.js';

const FILLER = 'x'.repeat(200_000);

/** A process does not read for a while; Redis keeps what it is sent, up to its limit, then gives it up and throws that away. */
export const outputBufferOverflow: Scenario = {
  name: 'output-buffer-overflow',
  makes: 'output-buffer-overflow',
  plays: 'channels_redis.pubsub 4.0.0 that does not read, scripted; a small client-output-buffer-limit',
  async play(stage) {
    const direct = stage.direct();
    await direct.config('SET', 'client-output-buffer-limit', 'pubsub 1mb 0 0');
    stage.atEnd(() => direct.config('SET', 'client-output-buffer-limit', 'pubsub 32mb 8mb 60'));
    const traffic = await startPubSub(stage);
    const subscriber = new ScriptedSubscriber(stage, 'room_slow');
    await subscriber.connect();
    const { layer } = traffic;
    const sender = new Sender(
      stage,
      {
        send: (channel, message) => layer.send(channel, message),
        groupSend: (group, message) => layer.groupSend(group, { ...message, filler: FILLER }),
      },
      'flood',
    );
    await sender.say('room_slow');
    subscriber.pause();
    const sent: string[] = [];
    for (let left = 200; left > 0 && (await subscribersOf(stage, 'room_slow')) > 0; left--)
      sent.push(await sender.say('room_slow'));
    await stage.sleep(200);
    await subscriber.readToTheEnd();
    for (const message of sent)
      if (!stage.truth.wasProcessed(message)) subscriber.blame(message, 'output-buffer-overflow');
    await subscriber.connect();
    await untilSubscribed(stage, 'room_slow', 1);
    const last = await sender.say('room_slow');
    await stage.truth.until(() => stage.truth.wasProcessed(last), 'a message after it is back');
    await traffic.sent;
    await traffic.drained([subscriber.channel]);
  },
};
