/** What a pass remembers of who was in which group, so far: who had left them all. */
import type { Reply } from '../../proxy/trace/trace.js';
import { setOf } from '../append.js';
import type { Step } from '../profiles/channel-layer.js';

export class ChannelsSeen {
  readonly #groupsOf = new Map<string, Set<string>>();
  /** Channels that had left all groups at some time. */
  readonly #left = new Set<string>();
  /** Of each group, the channels that roll calls have shown in it. */
  readonly #shownIn = new Map<string, Set<string>>();

  /** Somebody joins a group or leaves it, or a roll call of one. */
  add(reply: Reply | null, step: Extract<Step, { step: 'join' | 'leave' | 'members' }>): void {
    if (step.step === 'members') {
      const shown = setOf(this.#shownIn, step.group);
      for (const channel of step.channels) {
        if (shown.has(channel)) continue;
        shown.add(channel);
        setOf(this.#groupsOf, channel).add(step.group);
      }
      return;
    }
    if (reply?.kind === 'error') return;
    const groups = setOf(this.#groupsOf, step.channel);
    if (step.step === 'join') groups.add(step.group);
    else groups.delete(step.group);
    if (groups.size === 0) this.#left.add(step.channel);
  }

  /** Had each of these channels left all groups at some time? */
  allLeft(channels: readonly string[]): boolean {
    return channels.every((channel) => this.#left.has(channel));
  }
}
