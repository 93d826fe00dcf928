/** Makes a channel layer from its configuration: the one place where all of them are known. */
import type { ChannelLayer, LayerConfig } from './layer.js';
import { MemoryLayer } from './memory.js';
import { optionError } from './options.js';
import { PubSubLayer } from './pubsub.js';
import { RedisLayer } from './redis.js';

/** Connects to nothing yet. Throws GAPTRACE_LAYER_OPTION for options that make no sense. */
export function createLayer(config: LayerConfig): ChannelLayer {
  switch (config.layer) {
    case 'redis':
      return new RedisLayer(config);
    case 'pubsub':
      return new PubSubLayer(config);
    case 'memory':
      return new MemoryLayer(config);
    default:
      throw optionError('layer', (config as { layer?: unknown }).layer, '"redis", "pubsub" or "memory"');
  }
}
