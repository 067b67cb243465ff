/**
 * The Channel contract as tests that any implementation can be put to.
 *
 * @module
 */

import type { Receiver, Sender } from "../channel.ts";
import { checks } from "./_checks.ts";
import { runCheck } from "./_trial.ts";

/** Two ends of one channel: what goes into `sender` comes out of `receiver`. */
export interface ChannelPair {
  /** The end that messages go into. Its sync forms are tested where it has them. */
  sender: Sender;
  /** The end that messages come out of. Its sync forms are tested where it has them. */
  receiver: Receiver;
  /**
   * Makes the sender die inside a frame: writes the first part of one to an idle channel, and closes. May be left out
   * only where nothing can be cut (`truncatable: false`) or nobody learns of it (`endDetectable: false`).
   */
  truncate?(): void | Promise<void>;
  /** The same for the other direction, where `duplex` is set. */
  truncateBack?(): void | Promise<void>;
  /** Gives back what closing both ends leaves: names, ids, files. */
  cleanup?(): void | Promise<void>;
}

/** What a mechanism has to tell about itself; all of it has defaults. */
export interface ConformanceOptions {
  /** The longest message in bytes that is tried where `maxMessageSize` is more; 256 KiB unless told. */
  maxTestedSize?: number;
  /** Bytes that the mechanism surely does not take while nobody reads; 16 MiB unless told. */
  capacity?: number;
  /** The most bytes of sends that nobody awaits; 16 MiB unless told. */
  maxQueuedBytes?: number;
  /** False where the mechanism cannot carry an empty message: sending one is then a `RangeError`. */
  emptyMessages?: boolean;
  /** False where messages may overtake each other. */
  ordered?: boolean;
  /** False where no message can be cut: each enters the mechanism whole. */
  truncatable?: boolean;
  /** False where a receiver cannot learn that the sender has gone, as on a message queue. */
  endDetectable?: boolean;
  /** False where what finds no room is lost rather than waits, as a datagram on the network. */
  backPressure?: boolean;
  /** Both ends are whole channels: every check runs in both directions. */
  duplex?: boolean;
  /** A module whose export (`open` unless told) gives a pair in a new process; `args` go to `deno eval`, such as `--config`. */
  childScript?: { module: string | URL; export?: string; args?: string[] };
  /** The longest wait in milliseconds for what should be prompt; the environment's `IPC_TEST_CEILING`, or 2000, unless told. */
  ceiling?: number;
  /** How often random checks are repeated, 1 for all; the environment's `IPC_TEST_SCALE` unless told. */
  scale?: number;
  /** Where the random choices begin, to repeat a failure that told its seed; another one each time unless told. */
  seed?: number;
  /** Registers the tests as ignored: what they need is missing here. */
  ignore?: boolean;
}

/**
 * Registers a test for each part of the eight promises of the Channel contract.
 *
 * `open` gives a fresh pair each time; what the mechanism holds has to be at least four messages of 8 bytes.
 * The sync forms are tested where an end has them, those that block where they do not throw
 * `NotSupportedError`. A failure tells the seed of its random choices.
 *
 * @example
 * ```ts ignore
 * import { channelConformance, memoryChannel } from "@ipc/core/testing";
 *
 * channelConformance("a channel in memory", () => memoryChannel({ seed: 1 }), { scale: 0.1 });
 * ```
 */
export function channelConformance(
  name: string,
  open: () => ChannelPair | Promise<ChannelPair>,
  options: ConformanceOptions = {},
): void {
  for (const check of checks) {
    if (check.applies?.(options) === false) continue;
    const ignore = options.ignore === true;
    const label = `promise ${check.promise}: ${check.title}`;
    Deno.test({ name: `${name}: ${label}`, ignore, fn: () => runCheck(check, open, options) });
    if (options.duplex !== true) continue;
    Deno.test({ name: `${name}, back: ${label}`, ignore, fn: () => runCheck(check, turned(open), options) });
  }
}

/** The same channel in the other direction. */
function turned(open: () => ChannelPair | Promise<ChannelPair>): () => Promise<ChannelPair> {
  return async () => {
    const { sender, receiver, truncateBack, cleanup } = await open();
    return {
      sender: receiver as unknown as Sender,
      receiver: sender as unknown as Receiver,
      ...(truncateBack && { truncate: truncateBack }),
      ...(cleanup && { cleanup }),
    };
  };
}
