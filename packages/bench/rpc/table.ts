/** The report as a terminal shows it. */

import { threeDigits } from "../../cli/bench/_figures.ts";
import type { Output } from "../../cli/io.ts";
import { style } from "../../cli/_style.ts";
import { table as columns } from "../../cli/_table.ts";
import { type Mode, type Report, SIZE, UNDER_WAY } from "./run.ts";

const RIGHT = ["calls/s", "middle", "p50 µs", "p99 µs", "CPU µs"];
const TITLES = { pinned: "All on one CPU", free: "Wherever the kernel puts them" } as const;

/** The whole report. */
export function table({ machine, versions, settings, results, missing }: Report, output: Output): string {
  const { bold, dim, green, red } = style(output);
  const whole = (value: number) => Math.round(value).toLocaleString("en-US");
  const of = (mode: Mode, underWay: number): string => {
    const rows = results.filter((result) => result.mode === mode && result.underWay === underWay);
    if (rows.length === 0) return "";
    const what = underWay === 1 ? "one call after another" : `${underWay} calls under way`;
    const cells = rows.map(({ subject, best, median, p50, p99, cpu, goal }) => {
      const aim = goal === undefined ? "" : `≥ ${whole(goal)} ${best >= goal ? green("✓") : red("✗")}`;
      return [subject, whole(best), whole(median), threeDigits(p50), threeDigits(p99), threeDigits(cpu), aim];
    });
    return `\n${bold(TITLES[mode])}, ${what}\n` + columns(output, ["", ...RIGHT, "goal"], cells, RIGHT);
  };
  const { rounds, period } = settings;
  return [
    `${machine.cpu}, ${machine.cpus} CPUs, ${machine.kernel} ${machine.arch}\n`,
    Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(" · ") + "\n",
    dim(
      `calls with a text of ${SIZE} bytes, which is the answer; CPU of both processes together; best of ` +
        `${rounds} rounds of ${period} ms, everyone in turn; load before: ${machine.load.toFixed(2)}\n`,
    ),
    ...(["pinned", "free"] as const).flatMap((mode) => UNDER_WAY.map((underWay) => of(mode, underWay))),
    ...missing.length > 0 ? [`\n${bold("Not measured")}\n`, ...missing.map((line) => `${line}\n`)] : [],
  ].join("");
}
