/**
 * The whole contract of a channel with every call into libc going wrong in turn.
 *
 * @module
 */

import { ERRNO } from "../errno.ts";
import type { ChannelPair } from "./conformance.ts";
import { everyFault } from "./faults.ts";
import { diagnostics } from "../sys/poller.ts";
import { FaultTrial, operations } from "./_fault_operations.ts";
import { trackLeaks } from "./leak_check.ts";
import { sleep } from "./_trial.ts";

/** What {@linkcode faultSuite} does besides the contract. */
export interface FaultSuiteOptions {
  /** What the mechanism can do besides; each closes what it opens. */
  more?: Readonly<Record<string, () => unknown>> | undefined;
  /** The errors that each call is made to fail with; what the kernel may give on any of them unless told. */
  errnos?: readonly number[] | undefined;
  /** False where the kernel takes and gives whole messages, so that no read or write does half of its work. */
  short?: boolean | undefined;
  /** False where the mechanism cannot carry an empty message. */
  emptyMessages?: boolean | undefined;
  /** False where a send never waits for a reader: then nothing is sent while there is no room. */
  backPressure?: boolean | undefined;
  /** Registers the tests as ignored: what they need is missing here. */
  ignore?: boolean | undefined;
}

const ERRNOS: readonly number[] = [
  ERRNO.EINTR,
  ERRNO.EAGAIN,
  ERRNO.EMFILE,
  ERRNO.ENFILE,
  ERRNO.ENOMEM,
  ERRNO.ENOSPC,
  ERRNO.EPIPE,
  ERRNO.EACCES,
  ERRNO.EIO,
];

/** The operations that begin with a channel that is full. */
const FILLING: readonly string[] = ["send while there is no room", "send with a timeout"];

/**
 * Registers a test for each operation of a channel, in which each of its calls into libc fails in turn with each
 * error, and each read and write does half of its work.
 *
 * Each time the operation has to end, in success or in an `IpcError`; what was sent has to arrive once,
 * whole and in order, and what failed whole or not at all; and descriptors have to be as before.
 *
 * @example
 * ```ts ignore
 * import { faultSuite } from "@ipc/core/testing";
 * import { createPipe } from "@ipc/pipe";
 *
 * faultSuite("pipe", () => {
 *   const { writer, reader } = createPipe();
 *   return { sender: writer, receiver: reader };
 * });
 * ```
 */
export function faultSuite(
  name: string,
  open: () => ChannelPair | Promise<ChannelPair>,
  options: FaultSuiteOptions = {},
): void {
  const { more = {}, errnos = ERRNOS, emptyMessages = true, backPressure = true, ignore = false } = options;
  const short = options.short === false ? undefined : 3;
  const test = (title: string, fn: () => Promise<void>) => {
    Deno.test({ name: `${name} under faults: ${title}`, ignore, fn });
  };
  for (const [title, operate] of Object.entries(operations)) {
    if (!backPressure && FILLING.includes(title)) continue;
    test(title, async () => {
      await trackLeaks();
      let trial: FaultTrial | undefined;
      const before = held();
      const report = await everyFault(async () => {
        trial = new FaultTrial(emptyMessages);
        await trial.run(open, operate);
      }, {
        errnos,
        short,
        verify: async (run) => {
          await trial!.verify(run.error !== undefined);
          await settled(before);
        },
      });
      if (report.faults === 0) throw new Error("Expected calls into libc, there were none");
    });
  }
  for (const [title, operate] of Object.entries(more)) {
    test(title, async () => {
      await trackLeaks();
      const before = held();
      await everyFault(operate, { errnos, short, verify: () => settled(before) });
    });
  }
}

/** How many descriptors there are; `leakCheck` looks for the rest at the end of the file. */
function held(): number {
  let count = 0;
  for (const _ of Deno.readDirSync("/proc/self/fd")) count++;
  return count;
}

/** The runtime lets go of what it watched a little later. */
async function settled(before: number): Promise<void> {
  for (let looks = 0; held() > before || diagnostics().poolThreads > 0; looks++) {
    if (looks > 200) {
      const { poolThreads } = diagnostics();
      throw new Error(
        `Expected ${before} descriptors as before, there are ${held()}; ${poolThreads} parked threads`,
      );
    }
    await sleep(looks < 20 ? 0 : 10);
  }
}
