/** What the mechanisms are measured against in C. A new mechanism adds a row. */

/** A mechanism's counterpart in C, and how it should compare. */
export interface Baseline {
  /** The mechanism. */
  readonly name: string;
  /** The program under `c`, without its ending. */
  readonly program: string;
  /** Whether its far end and ours understand each other; then ours are measured against blocking C as well. */
  readonly mixes: boolean;
  /** At most so many times C's figure where lower is better, at least where higher is; by chart and case. */
  readonly goals: Goals;
}

/** Goals by chart and case. */
export type Goals = Readonly<Record<string, Readonly<Record<string, number>>>>;

const streamGoals: Goals = {
  roundTrip: { sync: 1.2 },
  messages: { sync: 0.8, "not awaiting": 1, batches: 3 },
};

/** Every counterpart. */
export const baselines: readonly Baseline[] = [
  { name: "pipe", program: "stream", mixes: true, goals: streamGoals },
  { name: "fifo", program: "stream", mixes: true, goals: streamGoals },
];
