import { assert, assertEquals, assertInstanceOf, assertNotEquals, assertThrows } from "@std/assert";
import { IpcError, NotFoundError } from "../errors.ts";
import { everyFault, leakCheck, withFault } from "../testing/mod.ts";
import { has, runChild } from "../testdata/child.ts";
import { decodeIdentity, encodeIdentity, IDENTITY_SIZE, isAlive, processIdentity } from "./process.ts";

leakCheck();

/** A shell that lives until its standard input ends; `line` is what it said first. */
async function shell(script: string): Promise<{ pid: number; line: string } & AsyncDisposable> {
  const child = new Deno.Command("sh", { args: ["-c", script], stdin: "piped", stdout: "piped" }).spawn();
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  return {
    pid: child.pid,
    line: new TextDecoder().decode(value).trim(),
    async [Symbol.asyncDispose]() {
      await child.stdin.close();
      await reader.cancel();
      await child.status;
    },
  };
}

Deno.test("processIdentity is what /proc says", async () => {
  const me = processIdentity();
  const stat = await Deno.readTextFile("/proc/self/stat");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  assertEquals(me.pid, Deno.pid);
  assertEquals(me.startTime, Number(fields[22 - 3]));
  assertEquals(`pid:[${me.pidNamespace}]`, await Deno.readLink("/proc/self/ns/pid"));
  const boot = (await Deno.readTextFile("/proc/sys/kernel/random/boot_id")).trim().replaceAll("-", "");
  assertEquals(me.bootId, BigInt(`0x${boot.slice(0, 16)}`) ^ BigInt(`0x${boot.slice(16)}`));
  assertEquals(isAlive(me), "alive");
});

Deno.test("isAlive follows another process to its end", async () => {
  let identity;
  {
    await using child = await shell("echo ready; read line");
    identity = processIdentity(child.pid);
    assertEquals(identity.pid, child.pid);
    assertNotEquals(identity.startTime, 0);
    assertEquals(isAlive(identity), "alive");
    // The same number at another time was another process.
    assertEquals(isAlive({ ...identity, startTime: identity.startTime - 1 }), "dead");
  }
  assertEquals(isAlive(identity), "dead");
  assertThrows(() => processIdentity(identity.pid), NotFoundError, `Cannot identify process ${identity.pid}`);
});

Deno.test("isAlive counts a zombie as dead", async () => {
  // The shell becomes a program that never waits for the child.
  await using parent = await shell("sleep 0.2 & echo $!; exec cat");
  const child = Number(parent.line);
  const identity = processIdentity(child);
  const deadline = performance.now() + 5000;
  while (isAlive(identity) === "alive" && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert(/\) Z /.test(await Deno.readTextFile(`/proc/${child}/stat`)), "it is not a zombie yet");
  assertEquals(isAlive(identity), "dead");
  assertThrows(() => processIdentity(child), NotFoundError);
});

Deno.test("processIdentity is not misled by the name of a program", async () => {
  await using child = await shell("printf ') Z 1 (2) 3' > /proc/$$/comm; echo ready; read line");
  const stat = await Deno.readTextFile(`/proc/${child.pid}/stat`);
  assert(stat.includes("() Z 1 (2) 3)"), stat);
  const identity = processIdentity(child.pid);
  assertEquals(identity.startTime, Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]));
  assertEquals(isAlive(identity), "alive");
});

Deno.test("isAlive: another boot is dead, another pid namespace unknown", () => {
  const me = processIdentity();
  assertEquals(isAlive({ ...me, bootId: me.bootId ^ 1n }), "dead");
  assertEquals(isAlive({ ...me, pidNamespace: me.pidNamespace - 1 }), "unknown");
});

/** Asked of the kernel: namespaces take root, or a kernel that lets everybody make them. */
const namespaces = has("unshare") &&
  new Deno.Command("unshare", { args: ["-pf", "true"], stderr: "null" }).outputSync().success;

Deno.test({
  name: "isAlive does not judge a process of a real other pid namespace",
  ignore: !namespaces,
  fn: async () => {
    const { code, stdout } = await runChild(
      `
      import { encodeIdentity, isAlive, processIdentity } from "@core/sys/mod.ts";
      const me = processIdentity();
      console.log(isAlive(me), encodeIdentity(me).toBase64());
      `,
      { before: ["unshare", "-pf", "--mount-proc"] },
    );
    assertEquals(code, 0);
    const [state, base64 = ""] = stdout.trim().split(" ");
    assertEquals(state, "alive");
    const identity = decodeIdentity(Uint8Array.fromBase64(base64));
    assertEquals(identity.bootId, processIdentity().bootId);
    assertEquals(isAlive(identity), "unknown");
  },
});

Deno.test({
  name: "isAlive is not misled by a pid that is really used again",
  ignore: !namespaces,
  fn: async () => {
    // In a namespace of its own the next number can be chosen, and nobody else takes it.
    const { code, stdout, stderr } = await runChild(
      `
      import { isAlive, processIdentity } from "@core/sys/mod.ts";
      const start = () => new Deno.Command("sleep", { args: ["30"] }).spawn();
      const first = start();
      const identity = processIdentity(first.pid);
      first.kill("SIGKILL");
      await first.status;
      // A clock tick lasts 10 ms; a number that is used again within one cannot be told apart.
      await new Promise((resolve) => setTimeout(resolve, 50));
      Deno.writeTextFileSync("/proc/sys/kernel/ns_last_pid", String(first.pid - 1));
      const second = start();
      console.log(second.pid === first.pid, isAlive(identity), isAlive(processIdentity(second.pid)));
      second.kill("SIGKILL");
      await second.status;
      `,
      { before: ["unshare", "-pf", "--mount-proc"] },
    );
    assertEquals([code, stderr, stdout], [0, "", "true dead alive\n"]);
  },
});

Deno.test("an identity has a fixed binary form", () => {
  const identity = {
    bootId: 0x1122334455667788n,
    pid: 0x0a0b0c0d,
    startTime: 0x1_0000_0002,
    pidNamespace: 0xf0000001,
  };
  const bytes = encodeIdentity(identity);
  assertEquals(bytes.length, IDENTITY_SIZE);
  assertEquals(bytes.toHex(), "0200000001000000" + "0d0c0b0a" + "010000f0" + "8877665544332211");
  assertEquals(decodeIdentity(bytes), identity);

  const larger = new Uint8Array(40).fill(0xee);
  assertEquals(encodeIdentity(identity, larger.subarray(4, 34), 3), larger.subarray(4, 34));
  assertEquals(decodeIdentity(larger, 7), identity);
  assertEquals([larger[6], larger[31]], [0xee, 0xee]);
  assertThrows(() => encodeIdentity(identity, new Uint8Array(30), 7), RangeError);
  assertThrows(() => decodeIdentity(new Uint8Array(23)), RangeError);
});

Deno.test("isAlive takes what a hostile peer wrote", () => {
  const me = processIdentity();
  for (const pid of [0, -1, 2 ** 31, 2 ** 32 - 1]) assertEquals(isAlive({ ...me, pid }), "dead");
  assertEquals(isAlive({ ...me, startTime: 2 ** 64 }), "dead");
  for (const fill of [0, 0x7f, 0xff]) {
    assertEquals(isAlive(decodeIdentity(new Uint8Array(24).fill(fill))), "dead");
  }
});

Deno.test("processIdentity refuses what is no process number, and tells who is not there", () => {
  for (const pid of [0, -1, 1.5, NaN, 2 ** 31]) assertThrows(() => processIdentity(pid), RangeError);
  const error = assertThrows(() => processIdentity(2 ** 31 - 1), NotFoundError);
  assertEquals(error.code, "ESRCH");
});

Deno.test("process identity takes no permission but FFI", async () => {
  const result = await runChild(
    `import { isAlive, processIdentity } from "@core/sys/mod.ts"; console.log(isAlive(processIdentity(${Deno.pid})));`,
    { flags: ["--allow-ffi"] },
  );
  assertEquals(result, { code: 0, signal: null, stdout: "alive\n", stderr: "" });
});

Deno.test("isAlive never says dead of a process that it only could not look at", async () => {
  await using child = await shell("echo ready; read line");
  const identity = processIdentity(child.pid);
  // ENOENT and EACCES are what hidepid makes of the processes of others.
  for (const errno of [2, 4, 12, 13, 24]) {
    for (const symbols of ["open", "read"]) {
      const run = await withFault({ nth: 1, symbols, errno }, () => isAlive(identity));
      assertEquals(run.hit, symbols);
      assert(run.result === "unknown" || (errno === 4 && run.result === "alive"), `${errno} ${run.result}`);
    }
  }
  const run = await withFault(
    { nth: 1, symbols: "open", errno: 2 },
    () => isAlive({ ...identity, pid: 2 ** 31 - 1 }),
  );
  assertEquals(run.result, "dead");
});

Deno.test("processIdentity bears every fault", async () => {
  await using child = await shell("echo ready; read line");
  const report = await everyFault(() => processIdentity(child.pid), { errnos: [4, 5, 12, 24] });
  // A read that a signal interrupted is made again; close releases whatever it says.
  assertEquals(report, { faults: 12, errors: 7, hits: { open: 4, read: 4, close: 4 } });
  const run = await withFault({ nth: 1, symbols: "open", errno: 24 }, () => processIdentity(child.pid));
  assertInstanceOf(run.error, IpcError);
});
