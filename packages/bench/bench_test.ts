import { assert, assertEquals, assertGreater, assertStringIncludes } from "@std/assert";
import { mechanismNames } from "../cli/bench/own.ts";
import { run } from "../cli/bench/run.ts";
import type { Report } from "../cli/bench/report.ts";
import { baselines } from "./baselines.ts";
import { invite } from "./field.ts";

const main = new URL("./main.ts", import.meta.url).pathname;
// The test runs on the stand-ins for @std or on the real packages, and so does what it starts.
const config = import.meta.resolve("@std/assert").startsWith("file:") ? ".deno.offline.json" : "deno.json";
const configPath = new URL(`../../${config}`, import.meta.url).pathname;

/** What is too long for a queue of 8 KiB, and for one packet. */
const tooLong: Readonly<Record<string, readonly string[]>> = {
  "sysv-msg": ["bandwidth64KiB", "bandwidth1MiB"],
  mq: ["bandwidth64KiB", "bandwidth1MiB"],
  "unix-seqpacket": ["bandwidth1MiB"],
  "unix-dgram": ["bandwidth1MiB"],
};

/** A peer that is there on every machine, and what it is compared in. */
const peersOf: readonly [string, RegExp][] = [
  ["Deno.connect, unix", /^(roundTrip|messages|bandwidth.*|connections)$/],
  ["memory of its own", /^memory$/],
  ["SQLite", /^(append.*|read.*|wake)$/],
];

async function bench(args: readonly string[], env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", "--config", configPath, main, ...args],
    stdin: "null",
    env: { NO_COLOR: "1", ...env },
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

Deno.test("invite(): everyone who is here answers every question, the others are named", async () => {
  const folder = await Deno.makeTempDir({ prefix: "ipc-test-" });
  try {
    const names = mechanismNames.filter((name) => baselines.some((baseline) => baseline.name === name));
    const field = await invite(names, folder);
    const report = await run({
      ...field,
      rounds: 1,
      period: 1,
      warmUp: 0,
      signal: new AbortController().signal,
    });
    const known = new Set(field.missing.map(({ what }) => what));
    assertEquals(report.missing.filter(({ what }) => !known.has(what) && what !== "pinned to one CPU"), []);
    for (const contestant of field.contestants) {
      for (const { chart, name } of contestant.cases) {
        if (tooLong[contestant.subject]?.includes(chart)) continue;
        const found = report.results.find((each) => {
          return each.mode === "free" && each.subject === contestant.subject &&
            each.kind === contestant.kind &&
            each.chart === chart && each.name === name;
        });
        assert(found !== undefined, `${contestant.subject}, ${chart}, ${name}`);
        assertGreater(found.best, 0);
        if (chart !== "idle") assertGreater(found.cpu!, 0);
      }
    }
    for (const each of report.results.filter(({ kind, chart }) => kind === "ours" && chart !== "idle")) {
      assertEquals(each.toC !== undefined, each.chart !== "connections" && "cc" in field.versions);
      const [peer] = peersOf.find(([, charts]) => charts.test(each.chart)) ?? [];
      if (peer === undefined) assertEquals(each.toPeers, undefined);
      else assertGreater(each.toPeers![peer]!, 0);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("bench without cc, node, python3 and taskset: names them, and measures the rest", async () => {
  const folder = await Deno.makeTempDir({ prefix: "ipc-test-" });
  try {
    const page = `${folder}/page.html`;
    const { code, stdout, stderr } = await bench(["pipe", "--quick", "--json", "--html", page], {
      PATH: folder,
    });
    assertEquals(stderr, "");
    assertEquals(code, 0);
    const report: Report = JSON.parse(stdout);
    assertEquals(
      report.missing.map(({ what }) => what),
      ["Node IPC, json", "Node IPC, advanced", "Node MessagePort", "Python Pipe", "C", "pinned to one CPU"],
    );
    const subjects = new Set(report.results.map(({ subject }) => subject));
    assertEquals([...subjects], ["pipe", "Deno.connect, unix", "Deno child streams"]);
    assertStringIncludes(await Deno.readTextFile(page), "there is no cc");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("bench of something unknown says what there is", async () => {
  const { code, stderr } = await bench(["telepathy"]);
  assertEquals(code, 2);
  assertStringIncludes(stderr, 'there is no mechanism "telepathy"');
  assertStringIncludes(stderr, "pipe");
});
