/**
 * Torture: a mechanism under killed processes, a busy garbage collector, crowds and readers that never read.
 *
 * @module
 */

import type { Receiver, Sender } from "../channel.ts";
import type { ChannelPair } from "./conformance.ts";
import { tortures } from "./_tortures.ts";
import { anySeed } from "./_random.ts";
import { testScale } from "./_trial.ts";

/** What a started process does: it sends, it receives, or both at once. */
export type TortureRole = "send" | "receive" | "both";

/** A program to be started with an end of the channel. */
export interface TortureProgram {
  /** What is executed. */
  readonly command: string;
  /** Its arguments; what is appended reaches {@linkcode TortureMechanism.join}. */
  readonly args: readonly string[];
  /** What it will do with its end. */
  readonly role: TortureRole;
}

/** A started program. */
export interface TortureProcess {
  /** Its process id. */
  readonly pid: number;
  /** Resolves when it has ended. */
  readonly status: Promise<{ readonly signal: string | null }>;
}

/** An end of a tortured channel: what a process sends into, what it receives from, or both. */
export interface TortureEnds {
  /** Where messages go. */
  readonly sender?: Sender | undefined;
  /** Where messages come from. */
  readonly receiver?: Receiver | undefined;
}

/** This process's end, and the processes at the other. */
export interface TortureLink extends TortureEnds {
  /** In the order of the programs. */
  readonly processes: readonly TortureProcess[];
  /** Gives back what closing the ends leaves. */
  cleanup?(): void | Promise<void>;
}

/** What a mechanism has to tell about itself to be tortured. */
export interface TortureMechanism {
  /** What it is called in reports. */
  readonly name: string;
  /** The module that exports this object: started processes import it. */
  readonly module: string;
  /** The name under which the module exports it. */
  readonly export: string;
  /** What a started process may do; nothing is started where this is empty. */
  readonly roles: readonly TortureRole[];
  /** How many processes may send into one channel at the same time; 1 unless told. */
  readonly senders?: number | undefined;
  /** The longest message in bytes; 1 MiB unless told, and never more. */
  readonly longest?: number | undefined;
  /** Whether it carries bytes without boundaries, so that messages may be cut and merged. */
  readonly bytes?: boolean | undefined;
  /** False where what finds no room does not wait, as in a log that keeps all it is sent. */
  readonly backPressure?: boolean | undefined;
  /** Whether a process that dies before it uses its end is noticed too, as where it inherits a descriptor. */
  readonly fromBirth?: boolean | undefined;
  /** Whether an error says that the other side is gone, besides a `BrokenPipeError` of who sends. */
  isEnd?(error: unknown): boolean;
  /** Both ends of a fresh channel in this process; absent where processes are all that is tortured. */
  open?(): ChannelPair | Promise<ChannelPair>;
  /** Starts programs, their standard output inherited, each with the far end of one fresh channel. */
  start(programs: readonly TortureProgram[]): TortureLink | Promise<TortureLink>;
  /** The end of a process that was started; `args` is what `start` appended. */
  join(role: TortureRole, args: readonly string[]): TortureEnds | Promise<TortureEnds>;
}

/** How long and with what luck. */
export interface TortureOptions {
  /** Where the random choices begin; another one each time unless told. */
  seed?: number | undefined;
  /** How much of it, 1 for a thousand kills; the environment's `IPC_TEST_SCALE` unless told. */
  scale?: number | undefined;
  /** How much of that, where a package tortures a second variant of the same thing; all of it unless told. */
  share?: number | undefined;
  /** Only these parts, by their title or the first word of it; all unless told. */
  only?: readonly string[] | undefined;
  /** Flags of `deno run` for started processes, such as `--config`, behind `-A`. */
  flags?: readonly string[] | undefined;
  /** Registers the tests as ignored: what they need is missing here. */
  ignore?: boolean | undefined;
}

/**
 * Registers tests that kill processes in the middle of messages, disturb the garbage collector, open and close
 * channels by the thousand, let a thousand calls wait at once, and send to a reader that never reads.
 *
 * What has to hold: no message is short, doubled or out of order; what was cut by a death is told as
 * `TruncatedError`; nothing hangs; no descriptor, mapping or memory is left. A failure tells its seed. Needs `-A`.
 *
 * @example
 * ```ts ignore
 * import { torture } from "@ipc/core/testing";
 * import { pipe } from "./testdata/torture.ts";
 *
 * torture(pipe);
 * ```
 */
export function torture(mechanism: TortureMechanism, options: TortureOptions = {}): void {
  const { only, ignore = false } = options;
  for (const part of tortures) {
    if (only !== undefined && !only.some((word) => part.title.startsWith(word))) continue;
    if (part.applies?.(mechanism) === false) continue;
    Deno.test({
      name: `${mechanism.name} under torture: ${part.title}`,
      ignore,
      fn: async () => {
        const { seed = anySeed(), scale = testScale(), share = 1, flags = [] } = options;
        await part.run(mechanism, { seed, scale: scale * share, flags });
      },
    });
  }
}
