import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { page } from "./html.ts";
import type { Report, Result } from "./report.ts";
import { table } from "./table.ts";

const result: Result = {
  mode: "pinned",
  chart: "roundTrip",
  subject: "pipe",
  kind: "ours",
  name: "sync",
  best: 5.1,
  median: 5.4,
  range: [5.1, 9.9],
  rounds: [9.9, 5.1, 5.4],
  p50: 5,
  p99: 8,
  cpu: 2.5,
  toC: 1.141,
  toPeers: { "Quick <&> Co": 4.5 },
  goal: { toC: 1.2, met: true },
};

const report: Report = {
  date: "2025-01-02T03:04:05.678Z",
  took: 1000,
  machine: { cpu: 'A "fast" <processor>', cpus: 2, kernel: "Linux 6", arch: "x86_64", load: 0.1 },
  versions: { Deno: "2.9.5" },
  settings: { rounds: 3, period: 10, cpu: 1 },
  results: [
    { ...result, kind: "c", name: "C", best: 4.47, range: [4.47, 5], goal: undefined!, toC: undefined! },
    result,
    { ...result, mode: "free", best: 50, range: [50, 60], toC: 1.3, goal: { toC: 1.2, met: false } },
    { ...result, chart: "messages", best: 1.62e6, range: [1.5e6, 1.62e6], name: "batches", goal: undefined! },
    {
      ...result,
      chart: "idle",
      best: 0.012,
      range: [0.012, 3],
      p50: undefined!,
      cpu: undefined!,
      goal: undefined!,
    },
    { ...result, chart: "bandwidth1MiB", best: 4.2e9, range: [4e9, 4.2e9], goal: undefined! },
    {
      ...result,
      kind: "peer",
      subject: "Quick <&> Co",
      name: "blocking",
      best: 23,
      range: [23, 24],
      toC: undefined!,
      goal: undefined!,
    },
  ].map((each) => JSON.parse(JSON.stringify(each))),
  missing: [{ what: "Node IPC, json", why: "there is no node" }],
};

/** Every opened element is closed, in order. */
function checkTags(page: string): void {
  const html = page.replace("<!DOCTYPE html>", "").replace(/<style>.*<\/style>/s, "");
  const open: string[] = [];
  for (
    const [tag, slash, name, , selfClosed] of html.matchAll(
      /<(\/?)([a-z][a-z0-9]*)((?:[^<>"]|"[^"]*")*?)(\/?)>/gi,
    )
  ) {
    if (slash !== "") assertEquals(open.pop(), name, tag);
    else if (selfClosed === "") open.push(name!);
  }
  assertEquals(open, []);
  const rest = html.replaceAll(/<(?:[^<>"]|"[^"]*")*>/g, "").replace(/&(amp|lt|gt|quot);/g, "");
  assert(!/[<>&]/.test(rest), /.{20}[<>&].{20}/s.exec(rest)?.[0]);
}

Deno.test("page() is well-formed, whatever the names", () => checkTags(page(report)));

Deno.test("page() needs nothing from elsewhere", () => {
  for (const word of ["http:", "https:", "src=", "href=", "url(", "@import", "<script"]) {
    assert(!page(report).includes(word), word);
  }
});

Deno.test("page() shows figures with units, comparisons, goals and what is missing", () => {
  const html = page(report);
  for (
    const part of [
      "5.10 µs",
      "1.62 M/s",
      "4.20 GB/s",
      "0.01 ms/s",
      "CPU while both ends wait",
      "✓</b> 1.14",
      "✗</b> 1.30",
      "≤ 1.2",
      "4.5×",
      "there is no node",
    ]
  ) {
    assertStringIncludes(html, part);
  }
  assertStringIncludes(html, "prefers-color-scheme: dark");
  // Nobody was measured there, or no other way.
  for (const part of ["64 KiB", "<th>messages</th>", "NaN", "undefined"]) assert(!html.includes(part), part);
});

Deno.test("page() shows every goal once in every mode, beside its mechanism", () => {
  const other = { ...result, subject: "queue", toC: 1.31, goal: { toC: 1.3, met: false } };
  const html = page({ ...report, results: [result, other] });
  const goals = html.slice(html.indexOf('class="goals"'), html.indexOf("</table>"));
  assertEquals(goals.match(/<b>.<\/b> [\d.]+/g), ["<b>✓</b> 1.14", "<b>✗</b> 1.31"]);
  assertStringIncludes(goals, "≤ 1.2<");
  assertStringIncludes(goals, "≤ 1.3<");
});

Deno.test("page() of hardly anything is well-formed as well", () => {
  checkTags(page({ ...report, results: [report.results[1]!], missing: [] }));
  checkTags(page({ ...report, results: [] }));
});

Deno.test("page() and table() warn where other programs were running", () => {
  const busy = { ...report, machine: { ...report.machine, load: 3 } };
  assert(!page(report).includes("Other programs"));
  assertStringIncludes(page(busy), "Other programs");
  assertStringIncludes(shown(busy), "Other programs");
});

function shown(report: Report): string {
  return table(report, { write: () => Promise.resolve(), terminal: false, colour: false, columns: 110 });
}

Deno.test("table() shows the same, in columns that fit", () => {
  const text = shown(report);
  for (
    const part of [
      "5.10 µs",
      "1.14 ✓",
      "1.30 ✗ ≤ 1.2",
      "1.62 M/s",
      "4.20 GB/s",
      "0.01 ms/s",
      "1 of 2 reached",
      "there is no node",
    ]
  ) {
    assertStringIncludes(text, part);
  }
  for (const part of ["64 KiB", "NaN", "undefined"]) assert(!text.includes(part), part);
  for (const line of text.split("\n")) assert(line.length <= 110, line);
});
