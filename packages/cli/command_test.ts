import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { schemes } from "@ipc/address/parse";
import { type Io, main, type Output } from "./main.ts";
import { ipc } from "./_testing.ts";
import { verbs } from "./_verbs.ts";

// The first verb that uses libc opens it, which inside a test would count as a leak.
for (const { load } of verbs) await load();

interface Captured {
  status: number;
  stdout: string;
  stderr: string;
}

/** Runs the command in this process. */
async function run(args: string[], { colour = false } = {}): Promise<Captured> {
  const captured = { status: 0, stdout: "", stderr: "" };
  const output = (name: "stdout" | "stderr"): Output => ({
    write: (bytes) => Promise.resolve(void (captured[name] += new TextDecoder().decode(bytes))),
    terminal: colour,
    colour,
    columns: 80,
  });
  const io: Io = {
    stdin: new Blob([]).stream(),
    stdout: output("stdout"),
    stderr: output("stderr"),
    signal: new AbortController().signal,
  };
  captured.status = await main(args, io);
  return captured;
}

Deno.test("--help names every verb and every kind of address", async () => {
  const { status, stdout, stderr } = await run(["--help"]);
  assertEquals([status, stderr], [0, ""]);
  for (const { name, summary } of verbs) assertMatch(stdout, new RegExp(`^  ${name} .* ${summary}$`, "m"));
  for (const { form } of schemes) assertStringIncludes(stdout, form);
  assertEquals((await run(["-h"])).stdout, stdout);
});

Deno.test("without arguments the help goes to standard error, with status 2", async () => {
  const { status, stdout, stderr } = await run([]);
  assertEquals([status, stdout], [2, ""]);
  assertEquals(stderr, (await run(["--help"])).stdout);
});

Deno.test("VERB --help tells the options of every verb, and no line is wider than a terminal", async () => {
  for (const entry of verbs) {
    const { status, stdout, stderr } = await run([entry.name, "--help"]);
    assertEquals([status, stderr], [0, ""]);
    const { options, examples } = (await entry.load()).default;
    for (const name of Object.keys(options)) assertMatch(stdout, new RegExp(`^ +--${name}[ \\n]`, "m"));
    for (const [command] of examples) assertStringIncludes(stdout, command);
    for (const line of stdout.split("\n")) assertEquals(line.slice(0, 100), line);
  }
  assertStringIncludes((await run(["recv", "--count", "x", "-h"])).stdout, "Usage\n  ipc recv");
});

Deno.test("help has colours where they are wanted, and the same words", async () => {
  const { stdout } = await run(["--help"], { colour: true });
  assertStringIncludes(stdout, "\x1b[1mVerbs\x1b[22m");
  // deno-lint-ignore no-control-regex
  assertEquals(stdout.replaceAll(/\x1b\[\d+m/g, ""), (await run(["--help"])).stdout);
});

Deno.test("--version tells the version of the package", async () => {
  const { version } = JSON.parse(await Deno.readTextFile(new URL("./deno.json", import.meta.url)));
  assertEquals(await run(["--version"]), { status: 0, stdout: `ipc ${version}\n`, stderr: "" });
  assertEquals(await run(["-V"]), await run(["--version"]));
});

const KEY = "a key is decimal, 0x hexadecimal or 0 octal, and a path begins with / or ./";
const ALL = schemes.map(({ scheme }) => `${scheme}:`).join(", ");

const KINDS =
  "sysv-msg, sysv-sem, sysv-shm, mq, sem, shm, unix, unix-seqpacket, unix-dgram, tcp, udp, fifo, file, mmap";

const wrong: [args: string[], stderr: string][] = [
  [["rcv"], 'there is no verb "rcv"; did you mean "recv"?'],
  [["brigde", "a", "b"], 'there is no verb "brigde"; did you mean "bridge"?'],
  [["frobnicate"], 'there is no verb "frobnicate"; see ipc --help'],
  [["help"], 'there is no verb "help"; did you mean "--help"?'],
  [["--verson"], 'there is no option "--verson"; did you mean "--version"?'],
  [["recv"], "recv: no ADDRESS is given; usage: ipc recv ADDRESS"],
  [["bridge", "stdio:"], "bridge: no TO is given; usage: ipc bridge FROM TO"],
  [["recv", "fifo:/a", "fifo:/b"], 'recv: "fifo:/b" is one too many; usage: ipc recv ADDRESS'],
  [["recv", "fifo:/a", "--tmeout", "2s"], 'recv: there is no option "--tmeout"; did you mean "--timeout"?'],
  [["send", "fifo:/a", "-n"], 'send: there is no option "-n"; "--" goes before what is no option'],
  [["recv", "fifo:/a", "--timeout"], "recv: --timeout needs a value: --timeout T"],
  [
    ["recv", "fifo:/a", "--timeout", "2x"],
    'recv: --timeout: "2x" is not a time; one is like 200ms, 2s, or 1500',
  ],
  [["recv", "fifo:/a", "--count", "0"], 'recv: --count: "0" is not a whole number from 1'],
  [
    ["recv", "fifo:/a", "--json", "--no-newline"],
    "recv: --json is one object a line; leave out --no-newline",
  ],
  [["make", "fifo:/a", "--mode", "888"], 'make: --mode: "888" is not a mode; one is like 600 or 0660'],
  [["send", "fifo:/a", "x", "--lines"], "send: --lines reads standard input; leave out the MESSAGE"],
  [["send", "fifo:/a", "x", "--priority", "3"], "send: fifo:/a has no messages with a priority"],
  [["recv", "/run/in"], 'recv /run/in: it says no mechanism; for a FIFO write "fifo:/run/in"'],
  [["recv", "pipe:/a"], `recv pipe:/a: there is no mechanism "pipe"; there are ${ALL}`],
  [["make", "stdio:"], 'make stdio: "stdio:" has nothing to create'],
  [["recv", "stdio:", "--listen"], 'recv stdio: "stdio:" has nothing to listen at'],
  [["recv", "fifo:/a", "--type", "3"], "recv: fifo:/a has no messages with a type"],
  [
    ["recv", "sysv-msg:1", "--type", "3", "--except", "4"],
    "recv: of --type, --at-most and --except there can be one",
  ],
  [
    ["recv", "sysv-msg:1?receive=3", "--type", "3"],
    "recv: the address says ?receive=; leave out --type, --at-most and --except",
  ],
  [["send", "sysv-msg:1?send=3", "x", "--type", "4"], "send: the address says ?send=; leave out --type"],
  [["send", "sysv-msg:1", "--type", "0"], 'send: --type: "0" is not a whole number from 1'],
  [["send", "sysv-shm:1", "x"], "send sysv-shm:1: memory carries no messages: it is read and written"],
  [["recv", "sysv-msg:jobs"], `recv sysv-msg:jobs: ${KEY}`],
  [["recv", "sysv-msg:0"], "recv sysv-msg:0: a private object is found by its id: ?id=42, as ls shows it"],
  [["acquire", "fifo:/a"], 'acquire fifo:/a: "fifo:" has nothing to acquire'],
  [["acquire", "sysv-sem:1", "none"], 'acquire: N is "none", and must be a whole number from 1'],
  [["release", "sysv-sem:1", "0"], 'release: N is "0", and must be a whole number from 1'],
  [["acquire", "sysv-msg:1", "--index", "1"], "acquire: sysv-msg:1 has no semaphores with an index"],
  [["with", "sysv-sem:1"], "with: no COMMAND is given; usage: ipc with ADDRESS -- COMMAND…"],
  [["with", "sysv-sem:1", "ls", "-l"], 'with: there is no option "-l"; "--" goes before what is no option'],
  [["read", "fifo:/a"], 'read fifo:/a: "fifo:" has nothing to attach'],
  [
    ["read", "sysv-shm:1", "--offset", "1.5"],
    'read: --offset: "1.5" is not a size; one is like 4096, 64K or 1M',
  ],
  [["make", "sysv-shm:1"], "make sysv-shm:1: it needs a size, in bytes"],
  [["make", "fifo:/a", "--size", "1"], 'make fifo:/a: "fifo:" has no size; it has mode'],
  [
    ["make", "sysv-sem:1", "--initial", "1,"],
    'make: --initial: "1," is not a number from 0, nor several like 1,0,5',
  ],
  [["make", "sysv-msg:?id=1"], "make sysv-msg:?id=1: ids are given by the system; give a key"],
  [["ls", "pipe"], `ls pipe: there is no such kind of object; there are ${KINDS}`],
  [["ls", "mmap"], 'ls mmap: where? "mmap:/run" has those below /run'],
  [["send", "mq:jobs", "x"], "send mq:jobs: a name begins with its only slash: mq:/jobs"],
  [
    ["send", "mq:/a", "x", "--priority", "40000"],
    'send mq:/a: "priority" is "40000", and must be a priority, from 0 to 32767',
  ],
  [["recv", "mq:/a", "--type", "3"], "recv: mq:/a has no messages with a type"],
  [["acquire", "sem:/a", "--index", "1"], "acquire: sem:/a has no semaphores with an index"],
  [["acquire", "sem:a/b"], "acquire sem:a/b: a name begins with its only slash: sem:/busy"],
  [["make", "shm:/a"], "make shm:/a: it needs a size, in bytes"],
  [["make", "mmap:/a"], "make mmap:/a: it needs a size, in bytes"],
  [
    ["make", "mq:/a", "--max-bytes", "1"],
    'make mq:/a: "mq:" has no limit of bytes; it has mode, limit of messages and longest message',
  ],
  [["make", "sem:/a", "--initial", "1,2"], "make sem:/a: it is one semaphore, and begins with one value"],
  [["recv", "unix-dgram:/a"], "recv unix-dgram:/a: datagrams are received by who listens there"],
  [
    ["send", "udp:localhost:9", "x", "--listen"],
    "send udp:localhost:9: who listens for datagrams only receives: there is nobody to send to",
  ],
  [["send", "tcp:localhost", "x"], "send tcp:localhost: it is a host and a port, such as tcp:localhost:8000"],
  [["recv", "ws:localhost"], "recv ws:localhost: it is a URL, such as ws://localhost:8000/path"],
  [["make", "unix:/a"], 'make unix:/a: "unix:" has nothing to create'],
  [["send", "file:/a?framing=lines", "x"], "send file:/a?framing=lines: a text file is only followed"],
  [["make", "file:/a", "--fsync", "now"], 'make: --fsync: "now" is none of always, interval, never'],
  [
    ["make", "file:/a", "--initial", "1"],
    'make file:/a: "file:" has no initial value; it has mode, fsync policy, length of its files, bytes to be kept, ' +
    "age to be kept and longest message",
  ],
  [["ls", "fifo"], 'ls fifo: where? "fifo:/run" has those below /run'],
  [["signal", "1x", "TERM"], 'signal: PID is "1x", and must be a whole number from 1'],
  [["signal", "0", "TERM"], 'signal: PID is "0", and must be a whole number from 1'],
  [
    ["signal", "4711", "TREM"],
    'signal: there is no signal "TREM"; they are HUP to SYS, and RTMIN to RTMIN+30',
  ],
  [
    ["signal", "4711", "SIGUSR1"],
    "signal: USR1 is not sent: a Deno would open its inspector to every local user; use USR2",
  ],
  [
    ["signal", "4711", "10"],
    "signal: USR1 is not sent: a Deno would open its inspector to every local user; use USR2",
  ],
  [
    ["signal", "4711", "HUP", "4294967296"],
    'signal: VALUE is "4294967296", and must be a whole number of 32 bits',
  ],
  [["limits", "x"], 'limits: "x" is one too many; usage: ipc limits'],
];

for (const [args, stderr] of wrong) {
  Deno.test(`bad usage: ipc ${args.join(" ")}`, async () => {
    assertEquals(await run(args), { status: 2, stdout: "", stderr: `ipc: ${stderr}\n` });
  });
}

Deno.test("the process has the same exit statuses, and writes no colours into a pipe", async () => {
  const help = await ipc(["--help"]);
  assertEquals([help.code, help.stderr], [0, ""]);
  assertEquals(help.stdout, (await run(["--help"])).stdout);
  const usage = await ipc(["rcv"]);
  assertEquals([usage.code, usage.stdout], [2, ""]);
  assertEquals(usage.stderr, 'ipc: there is no verb "rcv"; did you mean "recv"?\n');
});
