import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { compile, has, runChild } from "../testdata/child.ts";
import { bind, fullGrant, interceptCalls, supported, whenOpened } from "./libc.ts";

const libc = bind({
  abs: { parameters: [/* int j */ "i32"], result: "i32" },
  no_such_function: { parameters: [], result: "i32", optional: true },
});

/** Where libc is on this machine, by a path that core tries. */
const path = [
  `/lib/${Deno.build.arch}-linux-gnu/libc.so.6`,
  "/lib64/libc.so.6",
  `/lib/libc.musl-${Deno.build.arch}.so.1`,
].find((candidate) => {
  try {
    return Deno.statSync(candidate).isFile;
  } catch {
    return false;
  }
});

Deno.test("bind gives the functions of libc, and null for an optional one that it does not have", () => {
  assertEquals(supported, true);
  assertEquals(fullGrant(), true);
  assertEquals(libc.abs(-3), 3);
  assertEquals(libc.no_such_function, null);
});

const later = bind({ labs: { parameters: ["i64"], result: "i64" } });

// A table stays open for good, which the sanitizer takes for a leak.
Deno.test("interceptCalls sees every call of every table, until it is taken away", {
  sanitizeResources: false,
}, () => {
  const seen: unknown[] = [];
  interceptCalls((symbol, args, real, definition) => {
    seen.push([symbol, ...args, definition.result]);
    return symbol === "abs" ? 42 : real(...args);
  });
  try {
    const bound = bind({ toupper: { parameters: ["i32"], result: "i32" } });
    assertEquals([libc.abs(-3), later.labs(-4n), bound.toupper(97)], [42, 4n, 65]);
    assertEquals(libc.no_such_function, null);
  } finally {
    interceptCalls(undefined);
  }
  assertEquals(seen, [["abs", -3, "i32"], ["labs", -4n, "i64"], ["toupper", 97, "i32"]]);
  assertEquals([libc.abs(-3), later.labs(-4n)], [3, 4n]);
  assertEquals(seen.length, 3);
});

Deno.test("interceptCalls lets an interceptor throw", () => {
  interceptCalls(() => {
    throw new Error("from the interceptor");
  });
  try {
    assertThrows(() => libc.abs(1), Error, "from the interceptor");
  } finally {
    interceptCalls(undefined);
  }
});

Deno.test("whenOpened calls at once where libc is open", () => {
  let calls = 0;
  whenOpened(() => calls++);
  assertEquals(calls, 1);
});

Deno.test("without permission importing works, and the first call throws NotCapable", async () => {
  const { code, stdout, stderr } = await runChild(
    `
    import { abi, bind, check, errno, OwnedFd, processIdentity } from "@core/sys/mod.ts";
    const libc = bind({ abs: { parameters: ["i32"], result: "i32" } });
    for (const call of [() => libc.abs(-1), () => processIdentity(), () => new OwnedFd(9).close()]) {
      try { call(); console.log("went through"); } catch (error) { console.log(error.name); }
    }
  `,
    { flags: [] },
  );
  assertEquals([code, stderr, stdout], [0, "", "NotCapable\n".repeat(3)]);
});

Deno.test({
  name: "a grant for libc's absolute path is enough for what needs no view of memory",
  ignore: path === undefined,
  fn: async () => {
    const { code, stdout, stderr } = await runChild(
      `
      import { libc } from "@core/sys/_libc.ts";
      import { bind, errno, interceptCalls, isAlive, Mapping, processIdentity, setErrno, stat } from "@core/sys/mod.ts";
      // The very first call fails: opening libc must not have changed what errno says.
      console.log(libc.close(-1), errno());
      const more = bind({ abs: { parameters: ["i32"], result: "i32" }, nothing: { parameters: [], result: "i32", optional: true } });
      console.log(more.abs(-2), more.nothing);
      const ends = new Int32Array(2);
      console.log(libc.pipe2(ends, 0x80000), libc.write(ends[1], new Uint8Array([7]), 1n), stat(ends[0]).type);
      const buffer = new Uint8Array(4);
      console.log(libc.read(ends[0], buffer, 4n), buffer[0]);
      libc.close(ends[0]);
      console.log(libc.write(ends[1], buffer, 4n), errno());
      setErrno(5);
      console.log(errno(), isAlive(processIdentity()));
      interceptCalls((symbol, args, real) => symbol === "abs" ? 9 : real(...args));
      console.log(more.abs(1));
      try { Mapping.anonymous(100); } catch (error) { console.log(error.name); }
      `,
      { flags: [`--allow-ffi=${path}`] },
    );
    assertEquals([code, stderr], [0, ""]);
    assertEquals(stdout, "-1 9\n2 null\n0 1 fifo\n1 7\n-1 32\n5 alive\n9\nNotCapable\n");
  },
});

Deno.test({
  name: "a library planted in the working directory is never loaded",
  ignore: path === undefined || !has("cc"),
  fn: async () => {
    const folder = await Deno.makeTempDir();
    const marker = `${folder}/loaded`;
    const loaded = () => {
      try {
        Deno.removeSync(marker);
        return true;
      } catch {
        return false;
      }
    };
    const source = `
      #include <fcntl.h>
      #include <unistd.h>
      __attribute__((constructor)) static void planted(void) { close(creat("${marker}", 0600)); }
      int getpid_planted(void) { return 1; }
    `;
    const program = `
      import { processIdentity } from "@core/sys/mod.ts";
      try { console.log(processIdentity().pid === Deno.pid); } catch (error) { console.log(error.name); }
    `;
    try {
      for (const name of ["libc.so.6", `libc.musl-${Deno.build.arch}.so.1`]) {
        await compile(folder, name, source, ["-shared", "-fPIC"]);
      }
      // That the plant is one that works: this is what a scoped soname does without core.
      const careless = `Deno.dlopen("libc.so.6", {})`;
      await runChild(careless, { flags: ["--allow-ffi=libc.so.6"], cwd: folder });
      assertEquals(loaded(), true);

      const cases: [flags: string[], says: string][] = [
        [["--allow-ffi"], "true"],
        [["-A"], "true"],
        [[`--allow-ffi=${path}`], "true"],
        [[`--allow-ffi=${path!.replace(/\/[^/]*$/, "")}`], "true"],
        [["--allow-ffi=libc.so.6"], "NotCapable"],
        [["--allow-ffi=./libc.so.6"], "NotCapable"],
        [[`--allow-ffi=${folder}`], "NotCapable"],
        [[], "NotCapable"],
      ];
      for (const [flags, says] of cases) {
        const { code, stdout, stderr } = await runChild(program, { flags, cwd: folder });
        assertEquals([flags, code, stdout, stderr], [flags, 0, `${says}\n`, ""]);
        assertEquals([flags, loaded()], [flags, false]);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test("what cannot be had is said by name", async () => {
  const { code, stdout } = await runChild(`
    Object.defineProperty(Deno, "build", { value: { ...Deno.build, os: "freebsd" } });
    const { bind } = await import("@core/sys/libc.ts");
    const libc = bind({ getpid: { parameters: [], result: "i32" } });
    try { libc.getpid(); } catch (error) { console.log(error.name, error.message); }
  `);
  assertEquals(code, 0);
  assertStringIncludes(stdout, "NotSupportedError Cannot use libc on freebsd");
  assert(stdout.includes("only Linux"), stdout);
});
