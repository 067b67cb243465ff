/** The report as a terminal shows it. */

import type { Output } from "../io.ts";
import { type Style, style } from "../_style.ts";
import {
  circumstances,
  comparedCharts,
  compareToPeers,
  figure,
  goalText,
  inWords,
  resultsIn,
  scaleOf,
  spread,
  subjectsOf,
  threeDigits,
  warning,
} from "./_figures.ts";
import { type Chart, charts } from "./contestant.ts";
import { describeMode, type Mode, modesOf, type Report, type Result } from "./report.ts";

/** The width of the scale, in characters. */
const SCALE = { least: 12, most: 40 };
/** The width of all that stands right of it. */
const RIGHT = 50;
const TITLES = { pinned: "Pinned", free: "Free" } as const;

/** The whole report. */
export function table(report: Report, output: Output): string {
  const looks = style(output);
  const { bold, dim, red } = looks;
  const warned = warning(report);
  return [
    "",
    ...circumstances(report).map((line, at) => `  ${at === 0 ? bold(line) : dim(line)}`),
    ...warned === undefined ? [] : [`  ${red(warned)}`],
    ...modesOf(report).flatMap((mode) => inMode(report, mode, output, looks)),
    ...modesOf(report).flatMap((mode) => againstPeers(report, mode, looks)),
    ...goals(report, looks),
    ...notMeasured(report, looks),
    "",
  ].join("\n") + "\n";
}

function inMode(report: Report, mode: Mode, output: Output, looks: Style): string[] {
  const { bold, dim } = looks;
  const all = report.results.filter((result) => result.mode === mode);
  const widths = {
    subject: Math.max(...all.map(({ subject }) => subject.length)),
    name: Math.max(...all.map(({ name }) => name.length)),
  };
  const left = widths.subject + 2 + widths.name + 2 + 9 + 2;
  const scale = Math.max(SCALE.least, Math.min(SCALE.most, output.columns - 3 - left - RIGHT));
  const lines = ["", `  ${bold(TITLES[mode])}  ${dim(describeMode(mode, report))}`];
  for (const chart of charts) {
    const results = resultsIn(report, mode, chart);
    if (results.length === 0) continue;
    const latencies = results.some(({ p50 }) => p50 !== undefined) ? "   p50     p99" : " ".repeat(14);
    const cpu = results.some(({ cpu }) => cpu !== undefined) ? "CPU µs" : " ".repeat(6);
    const title = chart.title.padEnd(left + scale + 2);
    lines.push("", `  ${bold(title)}${dim(`${latencies}   ${cpu}   spread   × C`)}`);
    let last = "";
    for (const result of results) {
      const same = result.subject === last;
      last = result.subject;
      lines.push(row(result, chart, report, same, widths, scale, looks));
    }
  }
  return lines;
}

function row(
  result: Result,
  chart: Chart,
  report: Report,
  same: boolean,
  widths: { subject: number; name: number },
  scale: number,
  { bold, dim, cyan, green, red }: Style,
): string {
  const { subject, kind, name, best, p50, p99, cpu, toC, goal } = result;
  const look = kind === "ours" ? bold : kind === "c" ? (text: string) => text : dim;
  const mark = goal === undefined ? "" : goal.met ? green(" ✓") : red(` ✗ ${goalText(result)}`);
  return [
    "  ",
    look((same ? "" : subject).padEnd(widths.subject)),
    "  ",
    look(name.padEnd(widths.name)),
    "  ",
    look(figure(best, chart.unit).padStart(9)),
    "  ",
    (kind === "ours" ? cyan : dim)(track(result, chart, report, scale)),
    "  ",
    dim((p50 === undefined ? "" : threeDigits(p50)).padStart(6)),
    "  ",
    dim((p99 === undefined ? "" : threeDigits(p99)).padStart(6)),
    "  ",
    dim((cpu === undefined ? "" : threeDigits(cpu)).padStart(7)),
    "  ",
    dim(spread(result).padStart(7)),
    "  ",
    toC === undefined ? "" : look(toC.toFixed(2).padStart(4)),
    mark,
  ].join("").trimEnd();
}

/** The rounds on a scale: a line from the lowest to the highest, and a point for the best. */
function track({ best, range: [low, high] }: Result, chart: Chart, report: Report, width: number): string {
  const { at } = scaleOf(report, chart);
  const place = (value: number) => Math.max(0, Math.min(width - 1, Math.round(at(value) * (width - 1))));
  const [from, to, point] = [place(low), place(high), place(best)];
  return Array.from({ length: width }, (_, index) => {
    return index === point ? "●" : index >= from && index <= to ? "─" : " ";
  }).join("");
}

function againstPeers(report: Report, mode: Mode, { bold, dim }: Style): string[] {
  const lines: string[] = [];
  for (const subject of subjectsOf(report)) {
    const rows = compareToPeers(report, mode, subject);
    if (rows.length === 0) continue;
    const named = rows.map(({ peer, blocks }) => `${peer}${blocks ? ", blocking" : ""}`);
    const width = Math.max(...named.map((name) => name.length));
    const titles = comparedCharts(report, subject).map(({ short }) => short);
    lines.push(
      "",
      `  ${bold(`${subject} is so many times as fast as`)}  ${dim(`${mode}, like against like`)}`,
      `  ${" ".repeat(width)}${dim(titles.map((title) => title.padStart(12)).join(""))}`,
      ...rows.map(({ times }, at) => {
        return `  ${named[at]!.padEnd(width)}${
          times.map((time) => (time?.toFixed(1) ?? "").padStart(12)).join("")
        }`;
      }),
    );
  }
  return lines;
}

function goals(report: Report, { bold, dim, green, red }: Style): string[] {
  const aimed = report.results.filter(({ goal }) => goal !== undefined);
  if (aimed.length === 0) return [];
  const met = aimed.filter(({ goal }) => goal!.met);
  const missed = aimed.filter(({ goal }) => !goal!.met);
  return [
    "",
    `  ${bold("Goals")}  ${
      missed.length === 0 ? green("✓") : red("✗")
    } ${met.length} of ${aimed.length} reached`,
    ...missed.map((result) => {
      const what = `${result.subject}, ${inWords(result)}, ${result.mode}`;
      return `    ${red("✗")} ${what}: ${result.toC!.toFixed(2)} × C ${dim(goalText(result))}`;
    }),
  ];
}

function notMeasured({ missing }: Report, { bold, dim }: Style): string[] {
  if (missing.length === 0) return [];
  return ["", `  ${bold("Not measured")}`, ...missing.map(({ what, why }) => `    ${what}  ${dim(why)}`)];
}
