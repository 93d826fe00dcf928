/** What a verdict means and what to do about it, for verdicts that are not the loss of a popped message. */
export interface Meaning {
  readonly meaning: string;
  readonly refutedBy: string;
  readonly advice: string;
}
