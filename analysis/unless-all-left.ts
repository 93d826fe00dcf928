/**
 * A message that does not say who it was for (it is encrypted) and was lost, was lost to nobody where all of them may have left before. What is
 * known of them is in unnamed-recipients.ts; where it leaves that open, so is the verdict.
 */
import { plain, type Sentence } from './causes/decide.js';
import { type Ending, holeText } from './ending.js';
import type { Evidence } from './evidence.js';
import type { Journey } from './journey.js';

/** The sentence, unless all may have left. `atUs`: when it was last seen. */
export function unlessAllLeft(
  sentence: Sentence,
  { journey, ending, atUs }: { readonly journey: Journey; readonly ending: Ending; readonly atUs: number },
  evidence: Evidence,
): Sentence {
  const maybe = evidence.mayBeFor.get(journey);
  if (sentence.verdict !== 'lost' || !maybe) return sentence;
  const lostUs = lostBy(ending, evidence.endUs) ?? atUs;
  const { channels, sinceUs, called } = maybe;
  const undecided = (why: string): Sentence => ({
    ...plain('indeterminate', `${sentence.because}; but ${why}`),
    alternatives: [sentence.cause ?? 'lost', 'recipients-left'],
  });
  const [hole] = evidence.requestsHidden(sinceUs, lostUs);
  if (hole) return undecided(`who was still there is not known: ${holeText(hole)}`);
  const gone = channels.filter((each) => evidence.present(each, lostUs, sinceUs)?.length === 0);
  if (gone.length === 0) return sentence;
  if (called && gone.length === channels.length)
    return plain('recipients-left', 'everyone whom it may have been for had left by the time it was popped');
  return undecided(`it may have been for ${gone[0]?.join(' and ')} alone, and by then they had left`);
}

/** By when it was lost for certain; null: where it was last seen. */
function lostBy(ending: Ending, endUs: number): number | null {
  switch (ending.at) {
    case 'pop':
      return ending.next.requestedUs;
    case 'queue':
    case 'backup':
      return endUs;
    case 'acknowledge':
      return ending.acknowledgement.requestedUs;
    default:
      return null;
  }
}
