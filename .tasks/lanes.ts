/**
 * Runs groups of tests side by side: in each lane one group after the other, where nobody else makes objects of IPC,
 * which tests would take for their own leaks. That takes root; without, there is one lane.
 *
 * @module
 */

import { resolve } from "node:path";

const root = resolve(import.meta.dirname!, "..");

const ALONE = ["unshare", "--ipc", "--mount", "sh", "-c"];
const MOUNTS = `mount -t tmpfs tmpfs /dev/shm || exit
[ ! -d /dev/mqueue ] || mount -t mqueue mqueue /dev/mqueue || exit
`;
const EXEC = 'exec "$@" 2>&1';

/** All POSIX queues of a user share one limit, in whatever namespace: what makes some runs in one lane only. */
const MAKES_QUEUES = /^packages\/(posix|address|cli|rpc|bench)\b/;

/** Minutes after which a group hangs, and is ended: what it has printed tells where. */
const LIMIT = 30;

/** What is run, and with what. */
export interface LaneOptions {
  /** The command, before the files or folders of a group. */
  readonly command: readonly string[];
  /** Its environment, besides this process's own. */
  readonly env?: Record<string, string> | undefined;
  /** How many of `paths` are one group; 1 unless told. */
  readonly together?: number | undefined;
}

/** What came of it. */
export interface LaneReport {
  /** How many lanes there were. */
  readonly lanes: number;
  /** Whether every group succeeded. */
  readonly success: boolean;
}

/** Runs the command for all paths, in groups, and prints the output of each when it ends. */
export async function runInLanes(paths: readonly string[], options: LaneOptions): Promise<LaneReport> {
  const { command, env = {}, together = 1 } = options;
  const alone = await mayBeAlone();
  const [shell = "", ...words] = alone ? [...ALONE, MOUNTS + EXEC, "sh"] : ["sh", "-c", EXEC, "sh"];
  const makingQueues = paths.filter((path) => MAKES_QUEUES.test(path));
  const others = paths.filter((path) => !MAKES_QUEUES.test(path));
  let success = true;
  const lane = async (_: unknown, index: number) => {
    const mine = index === 0 ? [makingQueues, others] : [others];
    for (let from; (from = mine.find(({ length }) => length > 0)) !== undefined;) {
      const group = from.splice(0, together);
      console.log(`testing ${group.join(" ")}`);
      const output = await new Deno.Command(shell, {
        args: [...words, ...command, ...group],
        cwd: root,
        env,
        stdin: "null",
        stderr: "inherit",
        signal: AbortSignal.timeout(LIMIT * 60_000),
      }).output();
      // All at once, for other lanes speak too.
      console.log(new TextDecoder().decode(output.stdout));
      if (output.signal === "SIGTERM") {
        console.log(`FAILED: ${group.join(" ")} did not end in ${LIMIT} minutes`);
      }
      success &&= output.success;
    }
  };
  const lanes = alone ? navigator.hardwareConcurrency : 1;
  await Promise.all(Array.from({ length: lanes }, lane));
  return { lanes, success };
}

async function mayBeAlone(): Promise<boolean> {
  const [program = "", ...args] = [...ALONE, MOUNTS];
  try {
    const { success } = await new Deno.Command(program, { args, stdout: "null", stderr: "null" }).output();
    return success;
  } catch {
    return false;
  }
}
