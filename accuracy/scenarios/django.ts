import { startPythonLayer } from '../../e2e/python-layer.js';
import { churn } from '../churn.js';
import { Consumer } from '../consumer.js';
import { ROOMS, Traffic } from '../traffic.js';
import type { Scenario } from './scenario.js';

/** The real thing: Debian's channels_redis and redis-py in a process of their own; truth is what their `receive` returned. */
export const django: Scenario = {
  name: 'django',
  plays: 'channels_redis 4.0.0 with redis-py 4.3.4, real, with churn and latency',
  losesBy: ['popped-then-disconnected', 'backup-overtaken'],
  latencyUs: 1_000,
  async play(stage) {
    const layer = await startPythonLayer('core', { hosts: stage.urls, prefix: 'chat', capacity: 10_000 });
    stage.atEnd(() => layer.close());
    const traffic = await Traffic.start(stage, { messages: 25, everyMs: 20 });
    for (const room of ROOMS) await Consumer.join(stage, layer, room);
    let over = false;
    const churning = churn(stage, layer, 3, () => over);
    await traffic.sent;
    over = true;
    await churning;
    await traffic.drained();
  },
};
