import {
  assertEquals,
  assertInstanceOf,
  assertNotEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { IpcError, NotFoundError, PermissionError } from "../errors.ts";
import { withFault } from "../testing/faults.ts";
import { compile, has } from "../testdata/child.ts";
import { ftok } from "./ftok.ts";
import { interceptCalls } from "./libc.ts";

/** What ftok(3) is said to compute. */
function formula(ino: number, dev: number, project: number): number {
  return (ino & 0xffff) | ((dev & 0xff) << 16) | ((project & 0xff) << 24);
}

Deno.test("ftok is made of the low bits of inode, device and project", () => {
  for (const path of ["/proc", "/", Deno.execPath()]) {
    const { ino, dev } = Deno.statSync(path);
    for (const project of [1, 65, 127, 128, 255]) {
      const inode = Number(BigInt.asUintN(16, BigInt(ino!)));
      assertEquals(ftok(path, project), formula(inode, dev, project), `${path} ${project}`);
    }
  }
});

Deno.test({
  name: "ftok is perl's",
  ignore: !has("perl"),
  fn: async () => {
    const program = "use IPC::SysV qw(ftok); print join ' ', map { ftok('/', $_) } 1, 65, 200, 255";
    const { success, stdout } = await new Deno.Command("perl", { args: ["-e", program] }).output();
    assertEquals(success, true);
    const keys = new TextDecoder().decode(stdout).split(" ").map((key) => Number(key) | 0);
    assertEquals(keys, [1, 65, 200, 255].map((project) => ftok("/", project) as number));
  },
});

Deno.test({
  name: "ftok is C's",
  ignore: !has("cc"),
  fn: async () => {
    const folder = await Deno.makeTempDir();
    try {
      const program = await compile(
        folder,
        "key",
        '#include <stdio.h>\n#include <sys/ipc.h>\nint main(int n, char **a) { printf("%d", ftok(a[1], a[2][0])); }',
      );
      const { stdout } = await new Deno.Command(program, { args: [folder, "A"] }).output();
      assertEquals(Number(new TextDecoder().decode(stdout)), ftok(folder, "A") as number);
      assertEquals(ftok(folder, "A"), ftok(folder, 65));
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test("ftok gives one key to files whose inodes are 65,536 apart, and another one to a file made anew", async () => {
  // Two inodes that were seen on one file system.
  assertEquals(formula(1228, 4, 65), formula(66764, 4, 65));
  assertEquals(formula(1228, 0x104, 65), formula(1228, 4, 0x141));

  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/file`;
    await Deno.writeTextFile(path, "");
    const key = ftok(path, "A");
    // Kept, so that its inode is not used again.
    await Deno.rename(path, `${path}.old`);
    await Deno.writeTextFile(path, "");
    assertNotEquals(ftok(path, "A"), key);
    assertEquals(ftok(`${path}.old`, "A"), key);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("ftok refuses a project that libc would cut or misread", () => {
  for (const bad of [0, -1, 256, 0x141]) assertThrows(() => ftok("/", bad), RangeError);
  for (const bad of [1.5, NaN, "", "AB", "é", "\0"]) assertThrows(() => ftok("/", bad), TypeError);
});

Deno.test("ftok throws by meaning", async () => {
  const error = assertThrows(() => ftok("/no/such/file", 1), NotFoundError);
  assertStringIncludes(error.message, 'Cannot make a key from "/no/such/file": no such file');
  assertEquals(error.syscall, "ftok");
  assertThrows(() => ftok("/a\0b", 1), TypeError);
  const run = await withFault({ nth: 1, symbols: "ftok", errno: 13 }, () => ftok("/", 1));
  assertInstanceOf(run.error, PermissionError);
});

Deno.test("ftok does not hand out -1 where that is the key", () => {
  interceptCalls((symbol, args, real) => symbol === "ftok" ? -1 : real(...args));
  try {
    const error = assertThrows(() => ftok("/", 255), IpcError, "its key is -1");
    assertEquals(error.code, "ERANGE");
  } finally {
    interceptCalls(undefined);
  }
});
