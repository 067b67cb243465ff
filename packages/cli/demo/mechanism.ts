/** What the demo has to know of a mechanism: how two processes come to a channel through it. */

import type { SyncChannel } from "@ipc/core";

/** A mechanism in the demo. */
export interface DemoMechanism {
  /** Its name in the table. */
  readonly name: string;
  /** Starts the far end as a process of its own, and opens the near end of the channel to it. */
  near(far: FarEnd): Promise<SyncChannel>;
  /** Opens the far end, with the arguments that the near end has started it with. */
  far(args: readonly string[]): SyncChannel | Promise<SyncChannel>;
}

/** The program at the far end, as the near end starts it. */
export interface FarEnd {
  /** The program. */
  readonly command: string;
  /** Its arguments, with those that its mechanism adds. */
  args(...more: string[]): string[];
  /** Starts it by name, for mechanisms that do not start programs themselves. */
  start(...more: string[]): void;
  /** A folder that only this user can look into, removed at the end. */
  readonly folder: string;
  /** Ends the program when it aborts. */
  readonly signal: AbortSignal;
}
