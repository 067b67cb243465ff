/** The report as a page: one file that needs no other, for light and dark. */

import {
  chartOf,
  circumstances,
  comparedCharts,
  compareToPeers,
  figure,
  goalText,
  resultsIn,
  scaleOf,
  spread,
  subjectsOf,
  threeDigits,
  warning,
} from "./_figures.ts";
import { CSS } from "./_page_style.ts";
import { axis, strip } from "./_plot.ts";
import { type Chart, charts } from "./contestant.ts";
import { describeMode, type Mode, modesOf, type Report, type Result } from "./report.ts";

/** As a title, and within a line. */
const MODES = { pinned: "One CPU", free: "Free" } as const;
const SMALL = { pinned: "one CPU", free: "free" } as const;

/** The whole page. */
export function page(report: Report): string {
  const modes = modesOf(report);
  const subjects = subjectsOf(report);
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta name="color-scheme" content="light dark"/>
<title>${text(subjects.join(", "))}: measured ${report.date.slice(0, 10)}</title>
<style>${CSS}</style>
</head>
<body>
<main>
${head(report, subjects)}
${goals(report, subjects)}
${charts.map((chart) => chartSection(report, chart, modes)).filter((section) => section !== "").join("\n")}
${peers(report, modes, subjects)}
${missing(report)}
${method(report, modes)}
</main>
</body>
</html>
`;
}

function head(report: Report, subjects: readonly string[]): string {
  const [machine, versions, how] = circumstances(report);
  const warned = warning(report);
  return `<header>
<h1>How fast ${text(named(subjects))} ${subjects.length > 1 ? "are" : "is"} here</h1>
<p class="machine">${text(machine!)}</p>
<p>${text(versions!)}</p>
<p>${report.date.slice(0, 16).replace("T", " ")} UTC · ${text(how!)}</p>
${warned === undefined ? "" : `<p class="warning">${text(warned)}</p>`}
</header>`;
}

/** The mechanisms by name, or how many where these would fill the page. */
function named(subjects: readonly string[]): string {
  return subjects.length > 4
    ? `${subjects.length} mechanisms`
    : new Intl.ListFormat("en-GB").format(subjects);
}

/** What was aimed at: for each mechanism its goals, in a column for each mode. */
function goals(report: Report, subjects: readonly string[]): string {
  const aimed = report.results.filter(({ goal }) => goal !== undefined);
  if (aimed.length === 0) return "";
  const met = aimed.filter(({ goal }) => goal!.met).length;
  const modes = modesOf(report);
  const title = (result: Result) => `${chartOf(result.chart).title}, ${result.name}`;
  const group = (subject: string) => {
    const mine = aimed.filter((result) => result.subject === subject);
    if (mine.length === 0) return "";
    const cell = (line: string, mode: Mode) => {
      const found = mine.find((result) => result.mode === mode && title(result) === line);
      if (found === undefined) return "<td></td>";
      return `<td class="${found.goal!.met ? "met" : "missed"}">${mark(found)}${found.toC!.toFixed(2)}</td>`;
    };
    const lines = new Map(mine.map((result) => [title(result), goalText(result)]));
    return `<tbody>
<tr class="group"><th colspan="${2 + modes.length}">${text(subject)}</th></tr>
${
      [...lines].map(([line, goal]) => {
        return `<tr><th>${text(line)}</th><td>${goal}</td>${
          modes.map((mode) => cell(line, mode)).join("")
        }</tr>`;
      }).join("\n")
    }
</tbody>`;
  };
  return `<section>
<h2>Against C, the goals <span class="aside">${met} of ${aimed.length} reached</span></h2>
<div class="scroll"><table class="goals">
<thead>
<tr><th>times C’s figure</th><th>goal</th>${modes.map((mode) => `<th>${SMALL[mode]}</th>`).join("")}</tr>
</thead>
${subjects.map(group).filter((group) => group !== "").join("\n")}
</table></div>
</section>`;
}

function chartSection(report: Report, chart: Chart, modes: readonly Mode[]): string {
  const panels = modes.map((mode) => panel(report, chart, mode)).filter((panel) => panel !== "").join("\n");
  if (panels === "") return "";
  const hint = chart.better === "lower" ? "← better" : "better →";
  return `<section>
<h2>${text(chart.title)} <span class="aside">${hint}</span></h2>
<div class="panels">
${panels}
</div>
</section>`;
}

/** One chart in one mode: a line for each way, its figure, and where it lies. */
function panel(report: Report, chart: Chart, mode: Mode): string {
  const results = resultsIn(report, mode, chart);
  if (results.length === 0) return "";
  const scale = scaleOf(report, chart);
  const groups = [...new Set(results.map(groupOf))];
  const compared = results.some(({ toC }) => toC !== undefined);
  const rows = groups.map((group) => {
    const members = results.filter((result) => groupOf(result) === group);
    const c = members.filter(({ kind }) => kind === "c").map(({ best }) => best);
    const reference = c.length === 0 ? undefined : chart.better === "lower" ? Math.min(...c) : Math.max(...c);
    return `<tbody>
<tr class="group"><th colspan="${compared ? 4 : 3}">${text(group)}</th></tr>
${members.map((result) => row(result, chart, scale, reference, compared)).join("\n")}
</tbody>`;
  }).join("\n");
  return `<table class="panel">
<caption>${MODES[mode]} <span>${text(describeMode(mode, report))}</span></caption>
<thead><tr><th></th><th class="plot">${axis(scale, chart)}</th><th></th>${
    compared ? "<th>× C</th>" : ""
  }</tr></thead>
${rows}
</table>`;
}

function groupOf({ kind, subject }: Result): string {
  return kind === "peer" ? "other ways" : subject;
}

function row(
  result: Result,
  chart: Chart,
  scale: ReturnType<typeof scaleOf>,
  reference: number | undefined,
  compared: boolean,
): string {
  const { kind, subject, name, best, median, range, cpu, p50, p99, toC, goal } = result;
  const unit = (value: number) => figure(value, chart.unit);
  const label = kind === "peer" ? subject : name;
  const more = [
    `best ${unit(best)}, median ${unit(median)}, from ${unit(range[0])} to ${unit(range[1])}`,
    ...p50 === undefined ? [] : [`p50 ${threeDigits(p50)} µs, p99 ${threeDigits(p99!)} µs`],
    ...cpu === undefined ? [] : [`${threeDigits(cpu)} µs of CPU a message`],
  ].join(" · ");
  const verdict = goal === undefined ? "" : goal.met ? " met" : " missed";
  const ratio = toC === undefined ? "" : `${mark(result)}${toC.toFixed(2)}`;
  return `<tr class="${kind}" title="${text(more)}"><th>${text(label)}</th><td class="plot">${
    strip(result, chart, scale, reference)
  }</td><td>${unit(best)}</td>${compared ? `<td class="ratio${verdict}">${ratio}</td>` : ""}</tr>`;
}

/** Never by colour alone. */
function mark({ goal }: Result): string {
  return goal === undefined ? "" : goal.met ? "<b>✓</b> " : "<b>✗</b> ";
}

function peers(report: Report, modes: readonly Mode[], subjects: readonly string[]): string {
  const blocks = subjects.flatMap((subject) =>
    modes.map((mode) => {
      const rows = compareToPeers(report, mode, subject);
      if (rows.length === 0) return "";
      return `<table class="versus">
<caption>${text(subject)} <span>${SMALL[mode]}</span></caption>
<thead><tr><th>so many times as fast as</th>${
        comparedCharts(report, subject).map(({ short }) => `<th>${text(short)}</th>`).join("")
      }</tr></thead>
<tbody>
${
        rows.map(({ peer, blocks, times }) => {
          const cells = times.map((time) =>
            time === undefined
              ? "<td></td>"
              : `<td class="${time < 1 ? "slower" : "faster"}">${times1(time)}</td>`
          );
          return `<tr><th>${text(peer)}${blocks ? ", blocking" : ""}</th>${cells.join("")}</tr>`;
        }).join("\n")
      }
</tbody>
</table>`;
    })
  ).filter((block) => block !== "");
  if (blocks.length === 0) return "";
  return `<section>
<h2>Against other ways <span class="aside">ours awaiting against those that await, blocking against those that block</span></h2>
<div class="panels">
${blocks.join("\n")}
</div>
</section>`;
}

function times1(value: number): string {
  return `${value >= 9.95 ? Math.round(value) : value.toFixed(1)}×`;
}

function missing(report: Report): string {
  if (report.missing.length === 0) return "";
  return `<section>
<h2>Not measured</h2>
<ul>
${report.missing.map(({ what, why }) => `<li><b>${text(what)}</b>: ${text(why)}</li>`).join("\n")}
</ul>
</section>`;
}

function method(report: Report, modes: readonly Mode[]): string {
  const hasLatencies = report.results.some(({ p50 }) => p50 !== undefined);
  const table = (mode: Mode) => {
    const rows = report.results.filter((result) => result.mode === mode).map((result) => {
      const { subject, name, chart: chartName, best, median, p50, p99, cpu } = result;
      const chart = chartOf(chartName);
      const ifTold = (value: number | undefined) =>
        `<td>${value === undefined ? "" : threeDigits(value)}</td>`;
      return `<tr><th>${text(chart.title)}</th><th>${text(subject)}</th><th>${text(name)}</th><td>${
        figure(best, chart.unit)
      }</td><td>${figure(median, chart.unit)}</td><td>${spread(result)}</td>${
        hasLatencies ? ifTold(p50) + ifTold(p99) : ""
      }${ifTold(cpu)}</tr>`;
    });
    return `<h3>${MODES[mode]}</h3>
<div class="scroll"><table class="all">
<thead><tr><th></th><th></th><th></th><th>best</th><th>median</th><th>spread</th>${
      hasLatencies ? "<th>p50 µs</th><th>p99 µs</th>" : ""
    }<th>CPU µs</th></tr></thead>
<tbody>
${rows.join("\n")}
</tbody>
</table></div>`;
  };
  return `<section>
<h2>How to read it</h2>
<p>The point is the best round, the line reaches from the lowest to the highest of all rounds. Scales are
logarithmic, and the same for both columns. The dashed line is C, the fastest that does the same work over the
same mechanism; the shaded side of it is where our goal lies.</p>
<p>CPU is the time of both processes together for one message; a round trip is two messages. The spread is by how
much the worst round was worse than the best. p50 and p99 are of the best round: half, and 99 of 100, took less.</p>
<details><summary>All figures</summary>
${modes.map(table).join("\n")}
</details>
</section>`;
}

function text(value: string): string {
  return value.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll(
    '"',
    "&quot;",
  );
}
