import { assert, assertEquals } from "@std/assert";
import { compile, has } from "../core/testdata/child.ts";
import {
  constants,
  ipcPerm,
  msginfo,
  msqidDs,
  MTYPE_SIZE,
  sembuf,
  semidDs,
  semidDsOf,
  seminfo,
  shmidDs,
  shmInfo,
  shminfo,
} from "./_abi.ts";

interface Target {
  structs: Record<string, { size: number; fields: Record<string, { offset: number }> }>;
  constants: Record<string, number>;
}

interface Layout {
  /** The name in C. */
  c: string;
  /** What the names of its members begin with in C. */
  prefix: string;
  members: Readonly<Record<string, number>>;
}

/** The layouts of a platform; those of the system's headers for information are not in the table. */
function layouts(semid: object): Layout[] {
  const { size, ...words } = sembuf;
  const bytes = Object.fromEntries(Object.entries(words).map(([name, at]) => [name, at * 2]));
  return [
    { c: "struct ipc_perm", prefix: "", members: ipcPerm },
    { c: "struct msqid_ds", prefix: "msg_", members: msqidDs },
    { c: "struct semid_ds", prefix: "sem_", members: semid as Layout["members"] },
    { c: "struct shmid_ds", prefix: "shm_", members: shmidDs },
    { c: "struct sembuf", prefix: "sem_", members: { size, ...bytes } },
  ];
}

const information: Layout[] = [
  { c: "struct msginfo", prefix: "", members: msginfo },
  { c: "struct seminfo", prefix: "", members: seminfo },
  { c: "struct shminfo", prefix: "", members: shminfo },
  { c: "struct shm_info", prefix: "", members: shmInfo },
];

/** glibc's names where the table, and musl, have simpler ones. */
const renamed: Readonly<Record<string, string>> = { key: "__key", seq: "__seq", msg_cbytes: "__msg_cbytes" };

for (const arch of ["x86_64", "aarch64"] as const) {
  for (const libc of ["glibc", "musl"]) {
    Deno.test(`abi of ${arch} ${libc} is what its compiler said`, async () => {
      const file = new URL("testdata/abi.json", import.meta.url);
      const { targets } = JSON.parse(await Deno.readTextFile(file));
      const target: Target = targets[`linux-${arch}-${libc}`];
      const known = Object.entries(constants).filter(([name]) => name in target.constants);
      for (const [name, value] of known) assertEquals(value, target.constants[name], name);
      assert(known.length >= 33, `only ${known.length} constants could be compared`);
      for (const { c, prefix, members } of layouts(semidDsOf(arch))) {
        const { size, fields } = target.structs[c]!;
        for (const [name, at] of Object.entries(members)) {
          assertEquals(at, name === "size" ? size : fields[prefix + name]!.offset, `${name} of ${c}`);
        }
      }
      assertEquals(target.structs["struct msgbuf"]!.fields.mtext!.offset, MTYPE_SIZE);
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
    // SEMVMX is the kernel's alone; some headers lack the youngest commands.
    const names = Object.keys(constants).filter((name) => name !== "SEMVMX");
    const lines = names.map((name) => `#ifdef ${name}\nSHOW("${name}", ${name})\n#endif`);
    const all = [...layouts(semidDs), ...information];
    for (const { c, prefix, members } of all) {
      for (const name of Object.keys(members)) {
        const member = renamed[prefix + name] ?? prefix + name;
        const value = name === "size" ? `sizeof(${c})` : `offsetof(${c}, ${member})`;
        lines.push(`SHOW("${c}.${name}", ${value})`);
      }
    }
    const source = [
      "#define _GNU_SOURCE",
      ...["stddef", "stdio", "sys/ipc", "sys/msg", "sys/sem", "sys/shm"].map((header) =>
        `#include <${header}.h>`
      ),
      "#ifndef __GLIBC__",
      ...Object.entries(renamed).map(([other, glibc]) => `#define ${glibc} ${other}`),
      "#endif",
      `#define SHOW(name, value) printf("%s=%lld\\n", name, (long long)(value));`,
      "int main(void) {",
      ...lines,
      "return 0; }",
    ].join("\n");
    const folder = await Deno.makeTempDir();
    try {
      const program = await compile(folder, "abi", source);
      const { stdout } = await new Deno.Command(program).output();
      const expected: Record<string, number> = { ...constants };
      for (const { c, members } of all) {
        for (const [name, at] of Object.entries(members)) expected[`${c}.${name}`] = at;
      }
      const said = new TextDecoder().decode(stdout).trimEnd().split("\n").map((line) => line.split("="));
      for (const [name = "", value] of said) assertEquals(Number(value), expected[name], name);
      assert(said.length >= Object.keys(expected).length - 5, "the compiler told less than was asked");
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
