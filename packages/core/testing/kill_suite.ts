/**
 * A process that is killed at each of its calls into libc, one after the other.
 *
 * @module
 */

import { BrokenPipeError, TruncatedError } from "../errors.ts";
import { lettersOf, same } from "./_kill_letters.ts";
import type { TortureLink, TortureMechanism, TortureRole } from "./torture.ts";

const CHILD = import.meta.resolve("./_kill_child.ts");
/** So many processes live at once. */
const AT_ONCE = 4;
/** More calls than this nobody needs: something goes in circles. */
const MOST_CALLS = 500;
/** A process that is not killed ends within this time, in milliseconds. */
const CEILING = 20_000;

/**
 * Registers tests that kill the process at one end of a channel before and after its 1st, 2nd, … n-th call into
 * libc, until it gets through, and look at what the other end sees: whole messages in order, then one
 * `TruncatedError` or the end, or a `BrokenPipeError`; and nothing hangs. Needs `-A`.
 *
 * @example
 * ```ts ignore
 * import { killSuite } from "@ipc/core/testing";
 * import { pipe } from "./testdata/torture.ts";
 *
 * killSuite(pipe);
 * ```
 */
export function killSuite(mechanism: TortureMechanism, options: { flags?: readonly string[] } = {}): void {
  for (const role of ["send", "receive"] as const) {
    if (!mechanism.roles.includes(role)) continue;
    for (const when of ["before", "after"] as const) {
      Deno.test(`${mechanism.name}: killed ${when} each call, to ${role}`, async () => {
        let next = 1;
        let through = false;
        const lane = async (): Promise<void> => {
          while (!through) {
            const nth = next++;
            if (nth > MOST_CALLS) throw new Error(`Expected an end of the calls, ${MOST_CALLS} were made`);
            const link = await start(mechanism, role, [String(nth), when], options.flags ?? []);
            try {
              await look(link, role);
              const { signal } = await link.processes[0]!.status;
              if (signal === null) through = true;
              else if (signal !== "SIGKILL") {
                throw new Error(`Expected SIGKILL, the process ended by ${signal}`);
              }
            } catch (cause) {
              through = true;
              throw new Error(`Cannot bear a death ${when} call ${nth} of a process that is to ${role}`, {
                cause,
              });
            } finally {
              link.sender?.close();
              link.receiver?.close();
              await link.processes[0]!.status;
              await link.cleanup?.();
            }
          }
        };
        await Promise.all(Array.from({ length: AT_ONCE }, lane));
        if (next <= AT_ONCE + 1) throw new Error("Expected calls into libc, there were none");
      });
    }
  }
}

async function start(
  mechanism: TortureMechanism,
  role: TortureRole,
  plan: readonly string[],
  flags: readonly string[],
): Promise<TortureLink> {
  const { module, export: name } = mechanism;
  const args = [
    "run",
    "-A",
    "--quiet",
    "--no-lock",
    "--no-check",
    ...flags,
    CHILD,
    module,
    name,
    role,
    ...plan,
  ];
  return await mechanism.start([{ command: Deno.execPath(), args, role }]);
}

/** Looks at the channel from the end that lives. */
async function look({ sender, receiver }: TortureLink, role: TortureRole): Promise<void> {
  const letters = lettersOf();
  if (role === "send") {
    let index = 0;
    try {
      for (let letter; (letter = await receiver!.receive({ timeout: CEILING })) !== undefined; index++) {
        if (index >= letters.length || !same(letter, letters[index]!)) {
          throw new Error(`Expected message ${index} whole, got ${letter.byteLength} bytes`);
        }
      }
    } catch (error) {
      if (!(error instanceof TruncatedError)) throw error;
      if (await receiver!.receive({ timeout: CEILING }) !== undefined) throw new Error("Expected the end");
    }
  } else {
    try {
      for (const letter of letters) await sender!.send(letter, { timeout: CEILING });
      await sender!.end();
    } catch (error) {
      if (!(error instanceof BrokenPipeError)) throw error;
    }
  }
}
