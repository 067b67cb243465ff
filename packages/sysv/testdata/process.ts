/** What tests of System V objects need of other processes, besides what all tests do. */

import { prepared } from "../../core/testdata/process.ts";

export * from "../../core/testdata/process.ts";
export * from "../../core/testdata/user.ts";

/** What gives the command that follows an IPC namespace with other limits; undefined where that is not permitted. */
export function withLimits(values: Record<string, string>): readonly string[] | undefined {
  const settings = Object.entries(values).map(([name, value]) => `echo ${value} >/proc/sys/kernel/${name}`);
  return prepared(settings.join(" && "));
}
