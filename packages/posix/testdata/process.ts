/** What tests of POSIX objects need of other processes, besides what all tests do. */

import { has } from "../../core/testdata/child.ts";
import { permitted } from "../../core/testdata/process.ts";

export * from "../../core/testdata/process.ts";
export * from "../../core/testdata/user.ts";

/** What takes from the command that follows the right to pass limits, which only root has; undefined where that fails. */
export const unprivileged: readonly string[] | undefined = [
  ...Deno.build.os === "linux" && Deno.uid() !== 0 ? [["env"]] : [],
  ["setpriv", "--inh-caps=-sys_resource", "--bounding-set=-sys_resource"],
].find(permitted);

/** What gives the command that follows a lower limit for its queues; undefined where there is no prlimit(1). */
export function withQueueBytes(bytes: number): readonly string[] | undefined {
  return has("prlimit") ? ["prlimit", `--msgqueue=${bytes}`] : undefined;
}
