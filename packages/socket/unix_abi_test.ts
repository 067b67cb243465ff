import { assert, assertEquals } from "@std/assert";
import { compile, has } from "../core/testdata/child.ts";
import { cmsghdr, constants, iovec, msghdr, sockaddrUn, syscalls, ucred } from "./_abi.ts";

type Layout = [c: string, members: Readonly<Record<string, number>>];

const layouts: Layout[] = [
  ["struct sockaddr_un", {
    sun_family: sockaddrUn.sun_family,
    sun_path: sockaddrUn.sun_path,
    size: sockaddrUn.size,
  }],
  ["struct msghdr", msghdr],
  ["struct iovec", iovec],
  [
    "struct cmsghdr",
    {
      size: cmsghdr.size,
      cmsg_len: cmsghdr.cmsg_len,
      cmsg_level: cmsghdr.cmsg_level,
      cmsg_type: cmsghdr.cmsg_type,
    },
  ],
  ["struct ucred", ucred],
];

interface Target {
  structs: Record<string, { size: number; fields: Record<string, { offset: number }> }>;
  constants: Record<string, number>;
}

for (
  const target of ["linux-x86_64-glibc", "linux-x86_64-musl", "linux-aarch64-glibc", "linux-aarch64-musl"]
) {
  Deno.test(`abi of unix sockets: ${target} is what its compiler said`, async () => {
    const file = new URL("../core/testdata/abi.json", import.meta.url);
    const { constants: theirs, structs }: Target = JSON.parse(await Deno.readTextFile(file)).targets[target];
    // musl has what older kernels allowed; each kernel cuts the number to its own.
    const known = Object.entries(constants).filter(([name]) => name in theirs && name !== "SOMAXCONN");
    for (const [name, value] of known) assertEquals(value, theirs[name], name);
    assert(known.length >= 15, `only ${known.length} constants could be compared`);
    for (const [c, members] of layouts) {
      const { size, fields } = structs[c]!;
      for (const [name, at] of Object.entries(members)) {
        assertEquals(at, name === "size" ? size : fields[name]!.offset, `${name} of ${c}`);
      }
    }
  });
}

/** Under an emulator the compiler is the machine's, not the emulated one. */
function compilesForThis(): boolean {
  if (!has("cc")) return false;
  const { stdout } = new Deno.Command("cc", { args: ["-dumpmachine"] }).outputSync();
  return new TextDecoder().decode(stdout).startsWith(Deno.build.arch);
}

Deno.test({
  name: "abi of unix sockets is what the compiler of this machine says",
  ignore: !compilesForThis(),
  fn: async () => {
    const numbers: Record<string, number> = { ...constants };
    for (const [name, number] of Object.entries(syscalls)) numbers[`SYS_${name}`] = Number(number);
    const lines = Object.keys(numbers).map((name) => `SHOW("${name}", ${name})`);
    for (const [c, members] of layouts) {
      for (const name of Object.keys(members)) {
        lines.push(
          `SHOW("${c}.${name}", ${name === "size" ? `sizeof(${c})` : `offsetof(${c}, ${name})`})`,
        );
      }
    }
    // Headers that are older than the kernel do not know it.
    const late = "#ifndef SO_PEERPIDFD\n#define SO_PEERPIDFD 77\n#endif";
    const source = [
      "#define _GNU_SOURCE",
      ...["stddef", "stdio", "sys/socket", "sys/syscall", "sys/uio", "sys/un"].map((name) =>
        `#include <${name}.h>`
      ),
      late,
      `#define SHOW(name, value) printf("%s=%lld\\n", name, (long long)(value));`,
      "int main(void) {",
      ...lines,
      "return 0; }",
    ].join("\n");
    const folder = await Deno.makeTempDir();
    try {
      const program = await compile(folder, "abi", source);
      const { stdout } = await new Deno.Command(program).output();
      const told = new Map(
        new TextDecoder().decode(stdout).trim().split("\n").map((line) =>
          line.split("=") as [string, string]
        ),
      );
      for (const [name, value] of Object.entries(numbers)) assertEquals(Number(told.get(name)), value, name);
      for (const [c, members] of layouts) {
        for (const [name, value] of Object.entries(members)) {
          assertEquals(Number(told.get(`${c}.${name}`)), value, `${c}.${name}`);
        }
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
