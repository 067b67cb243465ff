import { assert, assertEquals } from "@std/assert";
import { compile, has } from "../testdata/child.ts";
import { type Abi, abi, abiFor } from "./abi.ts";

interface Target {
  structs: Record<string, { size: number; fields: Record<string, { offset: number }> }>;
  constants: Record<string, number>;
}
type Layout = Record<string, number>;

/** What the name of a layout here is in C. */
const STRUCTS = {
  stat: "struct stat",
  epollEvent: "struct epoll_event",
  pollfd: "struct pollfd",
  timespec: "struct timespec",
  flock: "struct flock",
} as const satisfies Partial<Record<keyof Abi, string>>;

/** What came with futex_waitv(2), in Linux 5.16. */
const YOUNG = ["SYS_futex_waitv", "FUTEX_32", "FUTEX_WAITV_MAX"];

const file = new URL("../testdata/abi.json", import.meta.url);

function layouts(of: Abi): [c: string, layout: Layout][] {
  return Object.entries(STRUCTS).map((
    [name, c],
  ) => [c, of[name as keyof typeof STRUCTS] as unknown as Layout]);
}

function constants(of: Abi): [string, number][] {
  return Object.entries(of).filter((entry): entry is [string, number] => typeof entry[1] === "number");
}

/** Under an emulator the compiler is the machine's, not the emulated one. */
function compilesForThis(): boolean {
  if (!has("cc")) return false;
  const { stdout } = new Deno.Command("cc", { args: ["-dumpmachine"] }).outputSync();
  return new TextDecoder().decode(stdout).startsWith(Deno.build.arch);
}

for (const arch of ["x86_64", "aarch64"] as const) {
  for (const env of ["gnu", "musl"] as const) {
    Deno.test(`abi of ${arch} ${env} is what its compiler said`, async () => {
      const { targets } = JSON.parse(await Deno.readTextFile(file));
      const target: Target = targets[`linux-${arch}-${env === "gnu" ? "glibc" : "musl"}`];
      const here = abiFor(arch, env);
      const known = constants(here).filter(([name]) => name in target.constants);
      assertEquals(
        Object.fromEntries(known),
        Object.fromEntries(known.map(([name]) => [name, target.constants[name]])),
      );
      assert(known.length > 90, `only ${known.length} constants could be compared`);
      for (const [c, layout] of layouts(here)) {
        const { size, fields } = target.structs[c]!;
        for (const [name, at] of Object.entries(layout)) {
          assertEquals(at, name === "size" ? size : fields[name]!.offset, `${name} of ${c}`);
        }
      }
    });
  }
}

Deno.test({
  name: "abi is what the compiler of this machine says",
  ignore: !compilesForThis(),
  fn: async () => {
    const lines = constants(abi).map(([name]) => {
      const show = `SHOW("${name}", ${name})`;
      // Younger than the headers of some machines; only macros can be asked for.
      return YOUNG.includes(name) ? `#ifdef ${name}\n${show}\n#endif` : show;
    });
    for (const [c, layout] of layouts(abi)) {
      for (const name of Object.keys(layout)) {
        const value = name === "size" ? `sizeof(${c})` : `offsetof(${c}, ${name})`;
        lines.push(`SHOW("${c}.${name}", ${value})`);
      }
    }
    const headers = [
      "errno fcntl limits linux/futex linux/magic poll signal stddef stdio time unistd",
      "sys/epoll sys/eventfd sys/file sys/ioctl sys/mman sys/stat sys/syscall",
    ].join(" ").split(" ");
    const source = [
      "#define _GNU_SOURCE",
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
      const said = new TextDecoder().decode(stdout).trimEnd().split("\n").map((line) => line.split("="));
      const expected: Record<string, number> = Object.fromEntries(constants(abi));
      for (const [c, layout] of layouts(abi)) {
        for (const [name, at] of Object.entries(layout)) expected[`${c}.${name}`] = at;
      }
      for (const [name = "", value] of said) assertEquals(Number(value), expected[name], name);
      assert(
        said.length >= Object.keys(expected).length - YOUNG.length,
        "the compiler told less than was asked",
      );
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
