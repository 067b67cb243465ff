import { assert, assertEquals, assertGreater, assertMatch, assertStringIncludes } from "@std/assert";
import type { Report } from "./rpc/run.ts";

const main = new URL("./main.ts", import.meta.url).pathname;
// The test runs on the stand-ins for @std or on the real packages, and so does what it starts.
const config = import.meta.resolve("@std/assert").startsWith("file:") ? ".deno.offline.json" : "deno.json";
const configPath = new URL(`../../${config}`, import.meta.url).pathname;

async function bench(args: readonly string[], env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", "--config", configPath, main, "rpc", ...args],
    stdin: "null",
    env: { NO_COLOR: "1", ...env },
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

Deno.test("bench rpc measures every channel of ours, and the others that are here", async () => {
  const { code, stdout, stderr } = await bench(["--quick", "--json"]);
  assertEquals([code, stderr], [0, ""]);
  const { results, missing, versions }: Report = JSON.parse(stdout);
  const subjects = [...new Set(results.map(({ subject }) => subject))];
  const ours = [
    "pipe",
    "fifo",
    "unix",
    "unix-seqpacket",
    "tcp",
    "sysv-msg, by types",
    "mq",
    "WebSocket",
    "HTTP",
  ];
  assertEquals(subjects.slice(0, ours.length), ours);
  // Whoever is not there is missing by name: npm may not be reached.
  const others = [
    "Node IPC, map of ids",
    "vscode-jsonrpc, stdio",
    "vscode-jsonrpc, unix",
    "jayson, tcp",
    "jayson, HTTP",
    "gRPC, unix",
    "gRPC, tcp",
  ];
  for (const subject of others) {
    const named = missing.some((line) => line.startsWith(`${subject}: `));
    assert(subjects.includes(subject) !== named, `${subject}: ${missing.join("; ")}`);
  }
  if (versions.Node !== undefined) assert(subjects.includes("Node IPC, map of ids"));
  for (const subject of subjects) {
    const found = results.filter((result) => result.subject === subject);
    assertEquals(found.map(({ underWay }) => underWay), [1, 64], `${subject}: ${missing.join("; ")}`);
    for (const { best, p50, p99, cpu, rounds } of found) {
      for (const figure of [best, p50, cpu, p99 - p50 + 1, ...rounds]) assertGreater(figure, 0);
    }
  }
});

Deno.test("bench rpc without node and npm: names what is missing, and measures the rest", async () => {
  const { code, stdout, stderr } = await bench(["unix", "--quick"], { PATH: "/nowhere" });
  assertEquals([code, stderr], [0, ""]);
  assertStringIncludes(stdout, "Wherever the kernel puts them, 64 calls under way\n");
  assertMatch(stdout, /\nunix +[\d,]+ +[\d,]+ .*≥ 25,000 [✓✗]\n/);
  assertStringIncludes(stdout, "\ngRPC, unix: there is no node\n");
});
