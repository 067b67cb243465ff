import { assert, assertEquals } from "@std/assert";
import { compile, has } from "../core/testdata/child.ts";
import {
  constants,
  dirent,
  mqAttr,
  own,
  rlimit,
  semT,
  sigevent,
  statfs,
  syscalls,
  syscallsOf,
} from "./_abi.ts";

interface Target {
  structs: Record<string, { size: number; fields: Record<string, { offset: number }> }>;
  constants: Record<string, number>;
}

type Layout = [c: string, members: Readonly<Record<string, number>>];

/** The layouts that the table has. */
const layouts: Layout[] = [
  ["struct mq_attr", mqAttr],
  ["struct sigevent", sigevent],
  ["struct rlimit", rlimit],
  ["sem_t", { size: semT.size }],
];

/** Those of the kernel's headers, as glibc and musl have them under other names. */
const others: Layout[] = [["struct statfs", statfs], ["struct dirent64", dirent]];

for (const arch of ["x86_64", "aarch64"] as const) {
  for (const libc of ["glibc", "musl"]) {
    Deno.test(`abi of ${arch} ${libc} is what its compiler said`, async () => {
      const file = new URL("testdata/abi.json", import.meta.url);
      const { targets } = JSON.parse(await Deno.readTextFile(file));
      const target: Target = targets[`linux-${arch}-${libc}`];
      const calls = Object.entries(syscallsOf(arch)).map(([name, number]) => [`SYS_${name}`, Number(number)]);
      const all: Record<string, number> = { ...constants, ...own, ...Object.fromEntries(calls) };
      const known = Object.keys(all).filter((name) => name in target.constants);
      for (const name of known) assertEquals(all[name], target.constants[name], name);
      assert(known.length >= 15, `only ${known.length} constants could be compared`);
      for (const [c, members] of layouts) {
        const { size, fields } = target.structs[c]!;
        for (const [name, at] of Object.entries(members)) {
          assertEquals(at, name === "size" ? size : fields[name]!.offset, `${name} of ${c}`);
        }
      }
    });
  }
}

/** Under an emulator the compiler is the machine's, not the emulated one. */
function compilesForThis(): boolean {
  if (!has("cc")) return false;
  const { stdout } = new Deno.Command("cc", { args: ["-dumpmachine"] }).outputSync();
  return new TextDecoder().decode(stdout).startsWith(Deno.build.arch);
}

Deno.test({
  name: "abi is what the compiler of this machine says",
  ignore: !compilesForThis(),
  fn: async () => {
    // MQ_PRIO_MAX and SEM_VALUE_MAX are in limits.h, where libc has them at all.
    const numbers: Record<string, number> = { ...constants, ...own };
    for (const [name, number] of Object.entries(syscalls)) numbers[`SYS_${name}`] = Number(number);
    const lines = Object.keys(numbers).map((name) => `#ifdef ${name}\nSHOW("${name}", ${name})\n#endif`);
    // These are enumerators in some headers, which #ifdef does not see.
    const enumerators = ["SIGEV_SIGNAL", "SIGEV_NONE", "SIGEV_THREAD", "SOCK_RAW", "RLIMIT_MSGQUEUE"];
    for (const name of enumerators) lines.push(`SHOW("${name}", ${name})`);
    for (const [c, members] of [...layouts, ...others]) {
      for (const name of Object.keys(members)) {
        const value = name === "size" ? `sizeof(${c})` : `offsetof(${c}, ${name})`;
        lines.push(`SHOW("${c}.${name}", ${value})`);
      }
    }
    const headers = ["dirent", "fcntl", "limits", "mqueue", "semaphore", "signal", "stddef", "stdio"];
    headers.push("sys/resource", "sys/socket", "sys/syscall", "sys/vfs");
    const source = [
      "#define _GNU_SOURCE",
      "#define _LARGEFILE64_SOURCE",
      ...headers.map((header) => `#include <${header}.h>`),
      `#define SHOW(name, value) printf("%s=%lld\\n", name, (long long)(value));`,
      "int main(void) {",
      ...lines,
      "return 0; }",
    ].join("\n");
    const folder = await Deno.makeTempDir();
    try {
      const program = await compile(folder, "abi", source);
      const { stdout } = await new Deno.Command(program).output();
      const expected: Record<string, number> = { ...numbers };
      for (const [c, members] of [...layouts, ...others]) {
        for (const [name, at] of Object.entries(members)) expected[`${c}.${name}`] = at;
      }
      const said = new TextDecoder().decode(stdout).trimEnd().split("\n").map((line) => line.split("="));
      for (const [name = "", value] of said) assertEquals(Number(value), expected[name], name);
      const seen = new Set(said.map(([name]) => name));
      assert(
        seen.size >= Object.keys(expected).length - 2,
        `the compiler told ${seen.size} of ${Object.keys(expected).length}`,
      );
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
