/**
 * What a process that the torture starts runs: `deno run _torture_child.ts PLAN [ARGUMENT…]`.
 *
 * It prints one line of JSON for each thing that it has to tell.
 */

import type { TortureMechanism, TortureRole } from "./torture.ts";
import { Random } from "./_random.ts";
import { judge, play, programs, tell } from "./_torture_link.ts";
import { floodMemory, runCycles } from "./_torture_memory.ts";

/** What the process is to do. */
export type TorturePlan =
  & { module: string; export: string; seed: number; flags: readonly string[] }
  & (
    | { task: "play"; role: TortureRole; lane: number; count: number; report: boolean }
    | { task: "host"; role: TortureRole; count: number }
    | { task: "cycles"; count: number }
    | { task: "flood"; count: number }
  );

if (import.meta.main) {
  const [text, ...rest] = Deno.args;
  const plan: TorturePlan = JSON.parse(text!);
  const mechanism: TortureMechanism = (await import(plan.module))[plan.export];
  const random = new Random(plan.seed).fork();
  switch (plan.task) {
    case "play": {
      if (plan.report) tell({ pid: Deno.pid });
      const ends = await mechanism.join(plan.role, rest);
      const started = plan.report ? () => tell({ begun: true }) : undefined;
      const tally = { messages: 0, bytes: 0, truncated: 0 };
      const mayBlock = plan.role !== "both";
      const options = { ...plan, mechanism, random, tally, mayBlock, started, starter: false };
      await judge(plan.report, tally, () => play(ends, options));
      ends.sender?.close();
      ends.receiver?.close();
      break;
    }
    case "host": {
      const link = await mechanism.start(
        programs(mechanism, { ...plan, roles: [plan.role], report: true }),
      );
      const tally = { messages: 0, bytes: 0, truncated: 0 };
      const options = { ...plan, mechanism, random, tally, mayBlock: false, lane: 1, starter: true };
      await judge(true, tally, () => play(link, options));
      link.sender?.close();
      link.receiver?.close();
      await Promise.all(link.processes.map((process) => process.status));
      await link.cleanup?.();
      break;
    }
    case "cycles":
      tell(await runCycles(mechanism, random, plan.count));
      break;
    case "flood":
      tell(await floodMemory(mechanism, random, plan.count));
  }
}
