import { assert, assertEquals, assertGreater, assertRejects, assertStringIncludes } from "@std/assert";
import { IPC_PRIVATE, list, SemaphoreSet } from "@ipc/sysv";
import { charts, type Contestant } from "./contestant.ts";
import { ownContestant } from "./own.ts";
import type { Report } from "./report.ts";
import { run, type RunOptions } from "./run.ts";

const tiny: Omit<RunOptions, "contestants"> = {
  rounds: 2,
  period: 1,
  warmUp: 0,
  signal: new AbortController().signal,
};

/** A contestant that says that every message takes so many microseconds. */
function pretender(subject: string, kind: Contestant["kind"], name: string, time: number, goal?: number) {
  const script = `
    console.log('{"ready":true,"pids":[]}');
    for await (const lines of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
      for (const line of lines.trim().split("\\n")) {
        console.log(JSON.stringify({ nanoseconds: line.split(" ")[2] * ${
    time * 1000
  }, cpu: 1, p50: 2, p99: 3 }));
      }
    }`;
  return {
    subject,
    kind,
    command: Deno.execPath(),
    args: ["eval", "--no-config", "--no-lock", script],
    cases: [{ chart: "roundTrip", name, test: "trip", goal }, {
      chart: "messages",
      name,
      test: "pull",
      goal,
    }],
  } satisfies Contestant;
}

function failing(subject: string, script: string): Contestant {
  return { ...pretender(subject, "peer", "x", 1), command: "sh", args: ["-c", script] };
}

Deno.test("run: a mechanism is measured in every chart and every mode", async () => {
  const said: number[] = [];
  const report = await run({
    ...tiny,
    contestants: [ownContestant("pipe")],
    onProgress: (part) => said.push(part),
  });
  const modes = report.settings.cpu === undefined ? ["free"] : ["pinned", "free"];
  for (const mode of modes) {
    for (const chart of charts.filter(({ name }) => /^(roundTrip|messages|bandwidth.*|idle)$/.test(name))) {
      const found = report.results.filter((result) => result.mode === mode && result.chart === chart.name);
      assertGreater(found.length, chart.name === "idle" ? 0 : 1, `${mode} ${chart.name}`);
    }
  }
  assertEquals(report.missing.filter(({ what }) => what !== "pinned to one CPU"), []);
  for (const result of report.results) {
    assertEquals(result.rounds.length, 2);
    assert(result.rounds.every((value) => value > 0 && Number.isFinite(value)));
    assertEquals(result.range, [Math.min(...result.rounds), Math.max(...result.rounds)]);
    assert(result.rounds.includes(result.best) && result.rounds.includes(result.median));
    if (result.chart !== "idle") assertGreater(result.cpu!, 0);
    assertEquals(result.p50 !== undefined, result.chart === "roundTrip");
    if (result.p50 !== undefined) assert(result.p50 <= result.p99!);
  }
  assertGreater(report.machine.cpus, 0);
  assert(report.machine.cpu !== "" && report.machine.kernel !== "");
  assertEquals(report.versions, { Deno: Deno.version.deno });
  assertEquals(said, said.toSorted((a, b) => a - b));
  assert(said.every((part) => part >= 0 && part < 1));
});

Deno.test("run: what is too long for a mechanism is left out", async () => {
  const report = await run({ ...tiny, contestants: [ownContestant("sysv-msg")] });
  const measured = new Set(report.results.map(({ chart }) => chart));
  assertEquals([...measured], ["roundTrip", "messages", "bandwidth4KiB", "idle"]);
  assertEquals(report.missing.filter(({ what }) => what !== "pinned to one CPU"), []);
});

for (const name of ["sysv-semaphores", "posix-semaphores", "sync-semaphores"]) {
  Deno.test(`run: ${name} are measured, and nothing else of them`, async () => {
    const report = await run({ ...tiny, contestants: [ownContestant(name)] });
    const cases = new Set(report.results.map(({ chart, name }) => `${chart} ${name}`));
    assertEquals(
      [...cases],
      ["semaphores sync", "semaphores async", "semaphores async, peer blocks", "idle async"],
    );
    assertEquals(report.missing.filter(({ what }) => what !== "pinned to one CPU"), []);
    for (const { p50, p99, chart } of report.results) {
      if (chart === "semaphores") assert(p50! > 0 && p50! <= p99!);
    }
  });
}

for (const name of ["file-log", "signal"]) {
  Deno.test(`run: ${name} is measured in all that it can do`, async () => {
    const contestant = ownContestant(name);
    const report = await run({ ...tiny, contestants: [contestant] });
    assertEquals(report.missing.filter(({ what }) => what !== "pinned to one CPU"), []);
    const modes = report.settings.cpu === undefined ? ["free"] : ["pinned", "free"];
    assertEquals(report.results.length, modes.length * contestant.cases.length);
    for (const { best, cpu, p50, p99, chart } of report.results) {
      assert(best > 0 && cpu! > 0);
      if (["wake", "signal", "processEnd"].includes(chart)) assert(p50! > 0 && p50! <= p99!);
    }
  });
}

Deno.test("run: ours is compared with the fastest C of its mechanism, and with peers", async () => {
  const report = await run({
    ...tiny,
    contestants: [
      pretender("a", "c", "C", 10),
      pretender("a", "c", "C, otherwise", 8),
      pretender("a", "ours", "sync", 9, 1.2),
      pretender("b", "c", "C", 1),
      pretender("b", "ours", "sync", 2, 1.2),
      pretender("peer", "peer", "events", 20),
    ],
  });
  const of = (subject: string, chart: string) => {
    return report.results.find((each) =>
      each.subject === subject && each.kind === "ours" && each.chart === chart
    )!;
  };
  assertEquals(of("a", "roundTrip").toC, 9 / 8);
  assertEquals(of("a", "roundTrip").goal, { toC: 1.2, met: true });
  assertEquals(of("a", "messages").toC!.toFixed(6), (8 / 9).toFixed(6));
  assertEquals(of("a", "messages").goal, { toC: 1.2, met: false });
  assertEquals(of("b", "roundTrip").goal, { toC: 1.2, met: false });
  assertEquals(of("a", "roundTrip").toPeers, { peer: 20 / 9 });
  const subjects = report.results.map(({ subject }) => subject);
  assertEquals(subjects, subjects.toSorted());
});

Deno.test("run: who fails is named with the reason, and the others go on", async () => {
  const report = await run({
    ...tiny,
    contestants: [
      failing("does not start", "echo 'error: no such thing' >&2; exit 3"),
      failing("stops", `echo '{"ready":true,"pids":[]}'; read line; echo 'Error: enough' >&2; exit 1`),
      failing("babbles", `echo hello`),
      { ...pretender("is not there", "peer", "x", 1), command: "/nonexistent/program" },
      pretender("goes on", "peer", "events", 1),
    ],
  });
  assertEquals(new Set(report.results.map(({ subject }) => subject)), new Set(["goes on"]));
  const why = (what: string) => report.missing.find((each) => each.what.startsWith(what))?.why ?? "";
  assertStringIncludes(why("does not start"), "no such thing");
  assertStringIncludes(why("stops"), "enough");
  assert(why("babbles") !== "");
  assert(why("is not there") !== "");
});

Deno.test("run: what one cannot do is named, and it goes on with the rest", async () => {
  const script = `echo '{"ready":true,"pids":[]}'
    while read test size count; do
      if [ "$test" = trip ]; then echo '{"error":"it goes one way"}'; else echo '{"nanoseconds":9000000,"cpu":1}'; fi
    done`;
  const report = await run({ ...tiny, contestants: [failing("one way", script)] });
  assertEquals(new Set(report.results.map(({ chart }) => chart)), new Set(["messages"]));
  assertEquals(report.missing.filter(({ what }) => what !== "pinned to one CPU"), [
    { what: "one way: Round trip, 64 B, x", why: "it goes one way" },
  ]);
});

Deno.test("run: an abort ends it, with every process and every object of theirs", async () => {
  const stop = new AbortController();
  const before = privateSets();
  let running: number[] = [];
  const promise = run({
    ...tiny,
    rounds: 1000,
    period: 50,
    contestants: ["pipe", "sysv-msg", "sysv-semaphores"].map(ownContestant),
    signal: stop.signal,
    onProgress() {
      if (running.length > 0) return;
      running = workers();
      stop.abort(new Error("enough"));
    },
  });
  await assertRejects(() => promise as Promise<Report>, Error, "enough");
  assertGreater(running.length, 1);
  for (let left = 100; left > 0 && running.some(isRunning); left--) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assertEquals(running.filter(isRunning), []);
  assertEquals(list().queues.filter(({ lastSendPid }) => running.includes(lastSendPid)), []);
  assertEquals(privateSets().filter((id) => !before.includes(id) && running.includes(lastPidOf(id))), []);
});

function privateSets(): number[] {
  return list().semaphoreSets.filter(({ key }) => key === IPC_PRIVATE).map(({ id }) => id);
}

/** Who last used the first semaphore of a set; 0: the set has gone meanwhile. */
function lastPidOf(id: number): number {
  try {
    using set = SemaphoreSet.open({ id });
    return set.at(0).lastPid;
  } catch {
    return 0;
  }
}

/** Both ends that descend from this process. */
function workers(): number[] {
  const found = new Map<number, number>();
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const status = Deno.readTextFileSync(`/proc/${name}/status`);
      found.set(Number(name), Number(/^PPid:\s*(\d+)/m.exec(status)![1]));
    } catch {
      // It has ended meanwhile.
    }
  }
  const descends = (pid: number): boolean => {
    const parent = found.get(pid);
    return parent !== undefined && (parent === Deno.pid || descends(parent));
  };
  return [...found.keys()].filter(descends);
}

function isRunning(pid: number): boolean {
  try {
    return !/^State:\s*Z/m.test(Deno.readTextFileSync(`/proc/${pid}/status`));
  } catch {
    return false;
  }
}
